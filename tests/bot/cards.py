"""Representative cards, as handlers compose them, for the golden files of both renderers."""

from __future__ import annotations

from handlers.conversation import (
    Button,
    Card,
    Check,
    Fact,
    Field,
    FieldKind,
    Mark,
    Option,
    Section,
    Style,
    quiet,
    strong,
    text,
)

QUESTION = Card(
    title="When does Jane Doe's access end?",
    notification="Case 1042 at Contoso: a question for you",
    progress=(3, 9),
    sections=(
        Section(
            body=(
                text("About ", strong("Jane Doe"), ", Head of Sales, jane.doe@contoso.com."),
                text(quiet("Now is recommended: it is contentious.")),
            ),
            fields=(
                Field("date", "On", placeholder="2026-12-01 17:00"),
                Field(
                    "zone",
                    "Time zone",
                    value="eu",
                    options=(Option("eu", "Europe/Berlin"), Option("us", "America/New York")),
                ),
                Field("note", "Anything to know", long=True, value="She has the van."),
            ),
            buttons=(
                Button("Now", "token-now", Style.PRIMARY),
                Button("At that time", "token-at"),
                Button("When I say go", "token-go"),
                Button("Back", "token-back"),
            ),
        ),
    ),
)

APPROVAL = Card(
    title="Approve the lock-out of Jane Doe?",
    notification="Case 1042 at Contoso waits for approval",
    sections=(
        Section(
            facts=(
                Fact("Client", text("Contoso")),
                Fact("Leaver", text(strong("Jane Doe"), " jane.doe@contoso.com")),
                Fact("Asked by", text("Mara Manager")),
            )
        ),
        Section(
            heading="What will be done",
            checklist=(
                Check(Mark.PENDING, text("Block sign-in"), text("Microsoft 365")),
                Check(Mark.PENDING, text("Wipe 1 laptop"), text(strong("can't be undone"))),
            ),
            buttons=(
                Button("Approve", "token-yes", Style.PRIMARY),
                Button("Reject", "token-no", Style.DANGER),
            ),
        ),
    ),
)

PROGRESS = Card(
    title="Jane Doe is being locked out",
    notification="Case 1042 at Contoso: news",
    sections=(
        Section(
            heading="Ways in",
            checklist=(
                Check(Mark.DONE, text("Microsoft 365"), text("ended 17:02")),
                Check(Mark.RUNNING, text("Pax8")),
                Check(Mark.FAILED, text("Phone"), text("refused: no permission")),
                Check(Mark.SKIPPED, text("Copier"), text("has no account")),
                Check(Mark.PERSON, text("Door"), text("Theo has it")),
                Check(Mark.PENDING, text("Backup")),
            ),
        ),
        Section(body=(text("Last possible access: ", strong("18:02"), "."),)),
    ),
)

HOSTILE = Card(
    title="<!channel> *Jane* [x](http://evil.example)",
    notification="Case 7 at R&D <@U1>",
    sections=(
        Section(
            heading="_x_ `y` ~z~",
            body=(text("<!channel> ", strong("<@U0MARA>"), " [pay](http://evil.example) & :wave:"),),
            facts=(Fact("*Name*", text("<http://evil.example|Payroll>\u202e moc")),),
            fields=(
                Field("who", "<!here> *who*", options=(Option("a", "**Jane** <@U1>"), Option("b", "[J](http://e)"))),
            ),
            buttons=(Button("Yes, *Jane* <!here>", "token"),),
        ),
    ),
)

REVIEW = Card(
    title="Review",
    notification="Case 1042 at Contoso: please review",
    progress=(9, 9),
    sections=tuple(
        Section(
            heading=f"Question {number}",
            body=(text(f"Answer {number}"),),
            buttons=(Button("Change", f"token-{number}"),),
        )
        for number in range(1, 14)
    ),
)

WHEN = Card(
    title="Case 1042: offboard Jane Doe",
    notification="Case 1042 at Contoso: a question for you",
    progress=(3, 9),
    sections=(
        Section(
            body=(text(strong("When does Jane Doe's access end?")),),
            fields=(
                Field("day", "On (Europe/London)", value="2026-11-30", kind=FieldKind.DATE),
                Field("hour", "At (Europe/London)", "Pick a time", kind=FieldKind.TIME),
            ),
            buttons=(Button("Now", "token-now", Style.PRIMARY), Button("At that time", "token-at")),
        ),
    ),
)

DECISION = Card(
    title="Case 1042: offboard Jane Doe (Contoso)",
    notification="Case 1042 at Contoso waits for approval",
    sections=(
        Section(
            heading="The rest: waits for approval (continued)",
            body=(text(quiet("Digest 0123456789abcdef: what is approved; any change to the plan voids it.")),),
            checklist=(
                Check(Mark.PENDING, text("Leave groups and teams"), text("Sales, Everybody, Board. Can't be undone.")),
                Check(Mark.PENDING, text("… ", quiet("Leave groups and teams")), text("Fleet, Choir.")),
            ),
            whole=True,
        ),
        Section(body=(text("Part 2 of 2 of what an approval covers."),), buttons=(Button("Previous part", "token-1"),)),
        Section(
            heading="Your decision",
            body=(text("2 different technicians must approve. So far: nobody yet."),),
            fields=(
                Field("proof", "Who else can open the vault?", long=True),
                Field("reason", "Reason, if you reject"),
            ),
            buttons=(
                Button("Approve all: lock out Jane Doe, and the rest", "token-all", Style.PRIMARY),
                Button("Approve the lock-out of Jane Doe alone", "token-alone"),
                Button("Reject", "token-no", Style.DANGER),
            ),
        ),
        Section(
            heading="Collect the keys",
            body=(text("No API can do this."),),
            fields=(Field("note", "What you did, or why it is skipped"),),
            buttons=(
                Button("Retry", "token-retry"),
                Button("I did it by hand", "token-hand", Style.PRIMARY),
                Button("Skip", "token-skip", Style.DANGER),
                Button("I take it", "token-take"),
            ),
        ),
    ),
)

PERSON = Card(
    title="Case 1042: offboard Jane Doe",
    notification="Case 1042 at Contoso: a question for you",
    progress=(4, 9),
    sections=(
        Section(
            body=(text(strong("Who gets Jane Doe's mail?")),),
            fields=(
                Field("picked", "Pick them while you type", "Two letters of a name or more", suggest="token-look"),
                Field("somebody", "Or write their name or mail address"),
            ),
            buttons=(Button("Nobody", "token-nobody"), Button("Find", "token-find")),
        ),
    ),
)

CARDS = {
    "person": PERSON,
    "decision": DECISION,
    "question": QUESTION,
    "when": WHEN,
    "approval": APPROVAL,
    "progress": PROGRESS,
    "hostile": HOSTILE,
    "review": REVIEW,
}

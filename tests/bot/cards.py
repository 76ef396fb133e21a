"""Representative cards, as handlers compose them, for the golden files of both renderers."""

from __future__ import annotations

from handlers.conversation import (
    Button,
    Card,
    Check,
    Fact,
    Field,
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

CARDS = {"question": QUESTION, "approval": APPROVAL, "progress": PROGRESS, "hostile": HOSTILE, "review": REVIEW}

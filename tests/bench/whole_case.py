"""One typical leaver from Approve to the last step, by the service and by a serial script, at 100 ms a call.

Ours is the real service in a process of its own, asked and approved over Slack, with Microsoft 365 and Exchange
and no domain. Both begin with the same leaver in a simulated company of their own, and must leave the same end
state. Sign-in is on neither clock (ours has happened by the interview), and a $batch is one call.

- seconds: until the last step is settled, read back, that has an effect the script has too (`SHARED`)
- calls: everything asked of the vendors from Approve until nothing is left to do, looks and read-backs and the
  steps the script does not have among them
- changes: of these, the ones that change something and whose effect the script has too (`ONLY_OURS` are not)
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.lab.companies import Companies
from bot.lab.sample_clients import MARIA, SAM, TECHNICIANS
from connectors.exchange.simulator import BATCH
from connectors.exchange.simulator import Call as Cmdlet
from connectors.exchange.simulator import Fault as ExchangeFault
from connectors.microsoft365.simulated_people import CONTOSO
from connectors.microsoft365.simulator import Call, Fault
from tests.bench.leaver import Leaver
from tests.bench.lockout import CALL, button_about
from tests.bench.serial import Cost, serially
from tests.city import City

ANSWERS = (
    "Head of",
    "Resigned",
    "No, on good terms",
    "Now",
    "Everything ends",
    "Shared mailbox",
    "^Maria",
    "^No$",
    "The standard reply",
    "Accept all",
    "Submit",
)
"""What Maria presses, in turn; the rest is as recommended: her the files, the licences released."""
SHARED = (
    "exchange.convert_to_shared",
    "exchange.grant_access",
    "exchange.hide_from_address_lists",
    "exchange.leave_distribution_groups",
    "exchange.remove_devices",
    "exchange.remove_rules",
    "microsoft365.block_sign_in",
    "microsoft365.leave_groups",
    "microsoft365.release_licences",
    "microsoft365.remove_sign_in_methods",
    "microsoft365.reset_password",
    "microsoft365.revoke_sessions",
    "microsoft365.set_auto_reply",
    "microsoft365.share_files",
)
"""Steps with an effect that the script has, too."""
ONLY_OURS = ("Add-RecipientPermission", "Set-CASMailbox")
"""Cmdlets whose effect is ours alone; so is the second revocation of two."""


async def whole_case(folder: Path, runs: int, call: float = CALL) -> tuple[Cost, Cost]:
    """Ours and the script's: median seconds over the runs, and what was called in the last."""
    companies = Companies()
    leavers = [Leaver(number) for number in range(runs)]
    for leaver in leavers:
        leaver.join(companies)
    city = City(folder, companies=companies)
    await city.start()
    try:
        companies.microsoft.fail(CONTOSO, Fault("delay", calls=None, seconds=call))
        companies.exchange.fail(CONTOSO, ExchangeFault("delay", calls=None, seconds=call))
        ours = [await _ours(city, companies, leaver) for leaver in leavers]
    finally:
        await city.stop()
    script = [await _script(companies, leaver, call) for leaver in leavers]
    return _median(ours), _median(script)


async def _script(ours: Companies, leaver: Leaver, call: float) -> Cost:
    """The script's way with the same leaver. Raises AssertionError unless they end as ours did."""
    async with Companies() as companies:
        leaver.join(companies)
        theirs = ours.person(leaver.id).mailbox
        assert theirs is not None
        cost = await serially(companies, leaver, dict(theirs.reply), call)
        assert leaver.ended(companies) == leaver.ended(ours)
        return cost


async def _ours(city: City, companies: Companies, leaver: Leaver) -> Cost:
    await city.types(MARIA, f"/offboard {leaver.name}")
    for press in ANSWERS:
        card, label = await button_about(city.slack.private, MARIA.user, leaver.name, press)
        await city.clicks(MARIA.user, card, label)
        async with asyncio.timeout(10):
            # The next question may have a button of that name, too.
            while card in city.slack.private(MARIA.user):  # noqa: ASYNC110 - two processes
                await asyncio.sleep(0.02)
    approve = await button_about(city.slack.messages, TECHNICIANS, leaver.name, "Approve all")
    # The cards of the interview have been redrawn; nothing else is under way.
    await asyncio.sleep(1.0)
    asked, run = len(companies.microsoft.calls), len(companies.exchange.calls)
    begun = datetime.now(UTC)
    await city.clicks(SAM.user, *approve)
    ended = await _ended(city, leaver.name)
    graph, cmdlets = companies.microsoft.calls[asked:], companies.exchange.calls[run:]
    whole = [call for call in (*graph, *cmdlets) if not call.part]
    return Cost((ended - begun).total_seconds(), len(whole), _changes(graph, cmdlets))


def _changes(graph: Sequence[Call], cmdlets: Sequence[Cmdlet]) -> int:
    """Changes whose effect both have; a batch is one that has such a change among its parts."""
    revocations = [call for call in graph if call.path.endswith("/revokeSignInSessions")]
    asked = [
        (call.part, call.path == "/$batch", call.method != "GET" and call not in revocations[1:]) for call in graph
    ]
    ran = [(one.part, one.cmdlet == BATCH, _has_their_effect(one.cmdlet)) for one in cmdlets]
    return _changing(asked) + _changing(ran)


def _has_their_effect(cmdlet: str) -> bool:
    return cmdlet != BATCH and not cmdlet.startswith("Get-") and cmdlet not in ONLY_OURS


def _changing(calls: Iterable[tuple[bool, bool, bool]]) -> int:
    """How many of them change something: (part of the next batch, a batch itself, a change)."""
    changes, within = 0, False
    for part, batch, change in calls:
        if part:
            within = within or change
            continue
        changes += within if batch else change
        within = False
    return changes


async def _ended(city: City, name: str) -> datetime:
    """When the last shared step was settled, by the service's own rows, once no step is left to do at all."""
    query = (
        "SELECT s.step, s.state, s.reason, s.settled_at FROM step s JOIN 'case' c ON s.case_id = c.id"
        " WHERE json_extract(c.leaver, '$.name') = ?"
    )
    deadline = time.monotonic() + 60
    rows: list[tuple[object, ...]] = []
    while time.monotonic() < deadline:
        rows = city.rows(query, name)
        if all(state == "done" for _, state, _, _ in rows):
            settled = {str(step): str(at) for step, _, _, at in rows}
            return max(datetime.fromisoformat(settled[step]).replace(tzinfo=UTC) for step in SHARED)
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{name}: {[row for row in rows if row[1] != 'done']}")


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(one.seconds for one in costs), costs[-1].calls, costs[-1].changes)

"""Which subscription a licence of Microsoft's is paid by: as configured, or by its name where only one fits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.pax8.subscriptions import Subscription

# Names as on Microsoft's price list; a subscription at Pax8 carries the same name, with more or less behind it.
NAMES: Mapping[str, str] = {
    "O365_BUSINESS_ESSENTIALS": "Microsoft 365 Business Basic",
    "O365_BUSINESS": "Microsoft 365 Apps for business",
    "O365_BUSINESS_PREMIUM": "Microsoft 365 Business Standard",
    "SPB": "Microsoft 365 Business Premium",
    "SPE_E3": "Microsoft 365 E3",
    "SPE_E5": "Microsoft 365 E5",
    "SPE_F1": "Microsoft 365 F3",
    "STANDARDPACK": "Office 365 E1",
    "ENTERPRISEPACK": "Office 365 E3",
    "ENTERPRISEPREMIUM": "Office 365 E5",
    "EXCHANGESTANDARD": "Exchange Online (Plan 1)",
    "EXCHANGEENTERPRISE": "Exchange Online (Plan 2)",
    "POWER_BI_PRO": "Power BI Pro",
    "VISIOCLIENT": "Visio Plan 2",
    "PROJECTPROFESSIONAL": "Planner and Project Plan 3",
    "MCOEV": "Microsoft Teams Phone Standard",
    "AAD_PREMIUM": "Microsoft Entra ID P1",
    "INTUNE_A": "Microsoft Intune Plan 1",
}
_GIVES_NOTHING = re.compile(
    r"""(?ix)
      [\[(] [^\])]* (?:new\ commerce|nce|commitment|annual|monthly|year) [^\])]* [\])]
    | [-–,]\ *(?:nce|new\ commerce(?:\ experience)?|annual|monthly|1[- ]year|3[- ]year)\b.*$
    | \b(?:nce|new\ commerce\ experience)\b
    """
)


@dataclass(frozen=True)
class Match:
    """The subscription, or those it could be, and how it was found, in words."""

    subscription: str = ""
    candidates: tuple[str, ...] = ()
    how: str = ""


def match(part_number: str, name: str, subscriptions: Sequence[Subscription], configured: Mapping[str, str]) -> Match:
    """What pays for that licence. Nothing at all: it is free, or bought elsewhere."""
    wanted = configured.get(part_number.upper(), "")
    if wanted:
        folded = wanted.casefold()
        found = [one for one in subscriptions if one.product_id.casefold() == folded]
        found = found or [one for one in subscriptions if folded in one.product.casefold()]
        return _one_of(found, f"'{wanted}', as configured")
    names = {
        plain(one) for one in (name.strip().removesuffix(f"({part_number})"), NAMES.get(part_number.upper(), "")) if one
    }
    same = [one for one in subscriptions if plain(one.product) in names]
    if same:
        return _one_of(same, "the same name")
    alike = [one for one in subscriptions if any(known in plain(one.product) for known in names if " " in known)]
    return Match(candidates=tuple(one.id for one in alike), how="a name that is only alike" if alike else "")


def plain(name: str) -> str:
    """A product's name without what says only how it is bought."""
    return " ".join(re.sub(r"[^a-z0-9() ]+", " ", _GIVES_NOTHING.sub(" ", name.casefold())).split())


def part_number_of(subscription: Subscription, configured: Mapping[str, str]) -> str:
    """Microsoft's part number of what a subscription pays for; '' when it is not known."""
    for part_number, wanted in configured.items():
        folded = wanted.casefold()
        if folded == subscription.product_id.casefold() or folded in subscription.product.casefold():
            return part_number
    ours = plain(subscription.product)
    return next((code for code, name in NAMES.items() if plain(name) == ours and code not in configured), "")


def _one_of(found: Sequence[Subscription], how: str) -> Match:
    if len(found) == 1:
        return Match(found[0].id, how=how)
    return Match(candidates=tuple(one.id for one in found), how=f"{how}, which fits {len(found) or 'no'} subscriptions")

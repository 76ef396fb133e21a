"""Deleting sign-in methods in an order that Graph accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from connectors.contract import Refused
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, refused_as
from connectors.microsoft365.facts import Method, read_methods
from connectors.microsoft365.guards import Ctx, is_gone

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from msgraph.generated.users.item.authentication.authentication_request_builder import (
        AuthenticationRequestBuilder,
    )

# Which builder deletes which type, in the order of removal. Graph refuses to delete the default method while
# others remain, and the alternate phone must go before the mobile one (Microsoft Graph, phoneAuthenticationMethod,
# read 2026-11). Which one is the default only beta tells; it is nearly always the app or the mobile phone.
_DELETE: dict[str, Callable[[AuthenticationRequestBuilder, str], RequestInformation]] = {
    "temporaryAccessPassAuthenticationMethod": lambda of, key: (
        of.temporary_access_pass_methods.by_temporary_access_pass_authentication_method_id(
            key
        ).to_delete_request_information()
    ),
    "emailAuthenticationMethod": lambda of, key: of.email_methods.by_email_authentication_method_id(
        key
    ).to_delete_request_information(),
    "externalAuthenticationMethod": lambda of, key: (
        of.external_authentication_methods.by_external_authentication_method_id(key).to_delete_request_information()
    ),
    "windowsHelloForBusinessAuthenticationMethod": lambda of, key: (
        of.windows_hello_for_business_methods.by_windows_hello_for_business_authentication_method_id(
            key
        ).to_delete_request_information()
    ),
    "platformCredentialAuthenticationMethod": lambda of, key: (
        of.platform_credential_methods.by_platform_credential_authentication_method_id(
            key
        ).to_delete_request_information()
    ),
    "fido2AuthenticationMethod": lambda of, key: of.fido2_methods.by_fido2_authentication_method_id(
        key
    ).to_delete_request_information(),
    "softwareOathAuthenticationMethod": lambda of, key: (
        of.software_oath_methods.by_software_oath_authentication_method_id(key).to_delete_request_information()
    ),
    "phoneAuthenticationMethod": lambda of, key: of.phone_methods.by_phone_authentication_method_id(
        key
    ).to_delete_request_information(),
    "microsoftAuthenticatorAuthenticationMethod": lambda of, key: (
        of.microsoft_authenticator_methods.by_microsoft_authenticator_authentication_method_id(
            key
        ).to_delete_request_information()
    ),
}
_ORDER = tuple(_DELETE)

# Phones have fixed ids, the same for everybody (Microsoft Graph, phoneAuthenticationMethod, read 2026-11).
MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
ALTERNATE_MOBILE = "b6332ec1-7057-4abe-9331-3d72feddfe41"
OFFICE = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
_PHONES = (ALTERNATE_MOBILE, OFFICE, MOBILE)


def removable(kind: str) -> bool:
    """Whether Graph v1.0 can delete methods of that type; hardware tokens and QR codes only beta can."""
    return kind in _DELETE


def order_of_removal(methods: Iterable[Method]) -> tuple[Method, ...]:
    """Those that can be deleted first, the likely default last of them; then those that cannot."""

    def place(method: Method) -> tuple[int, int]:
        kind = _ORDER.index(method.kind) if method.kind in _DELETE else len(_ORDER)
        return kind, _PHONES.index(method.id) if method.id in _PHONES else 0

    return tuple(sorted(methods, key=place))


async def delete_method(ctx: Ctx, key: str, kind: str, needs: Sequence[str]) -> None:
    """Delete one method; one that is gone already is fine.

    Should it be the default after all, the others go first: all of them were to go anyway. Raises Refused
    where Graph v1.0 has no way.
    """
    if not removable(kind):
        raise Refused(
            VENDOR,
            f"DELETE {kind}",
            "Graph v1.0 cannot delete this kind of method",
            f"Delete it in https://entra.microsoft.com, Users > {ctx.account.name} > Authentication methods.",
        )
    try:
        await _delete(ctx.api, ctx.account.id, key, kind, needs)
    except RefusedWith as refused:
        if not refused_as(refused, "default method"):
            raise
    else:
        return
    for other in order_of_removal(await read_methods(ctx.api, ctx.account.id)):
        if other.id != key and removable(other.kind):
            await _delete(ctx.api, ctx.account.id, other.id, other.kind, needs)
    await _delete(ctx.api, ctx.account.id, key, kind, needs)


async def _delete(api: Graph, user: str, key: str, kind: str, needs: Sequence[str]) -> None:
    info = _DELETE[kind](api.user(user).authentication, key)
    try:
        await api.write(info, needs)
    except RefusedWith as refused:
        if not is_gone(refused):
            raise

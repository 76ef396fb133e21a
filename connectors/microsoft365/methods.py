"""Sign-in methods: reading them, and deleting them in an order that Graph accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from connectors.contract import Refused
from connectors.http import RefusedWith
from connectors.microsoft365.client import VENDOR, Graph, is_gone, refused_as, text

if TYPE_CHECKING:
    from kiota_abstractions.base_request_builder import BaseRequestBuilder
    from msgraph.generated.users.item.authentication.authentication_request_builder import (
        AuthenticationRequestBuilder,
    )


class Method(BaseModel):
    """A registered sign-in method."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    """Graph's type without its prefix: 'phoneAuthenticationMethod'."""
    title: str


# Title and address of each type, in the order of removal. Graph refuses to delete the default method while others
# remain, and the alternate phone must go before the mobile one (Microsoft Graph, phoneAuthenticationMethod, read
# 2026-11). Which one is the default only beta tells; it is nearly always the app or the mobile phone.
_KINDS: dict[str, tuple[str, Callable[[AuthenticationRequestBuilder, str], BaseRequestBuilder]]] = {
    "temporaryAccessPassAuthenticationMethod": (
        "Temporary Access Pass",
        lambda of, key: of.temporary_access_pass_methods.by_temporary_access_pass_authentication_method_id(key),
    ),
    "emailAuthenticationMethod": (
        "Email",
        lambda of, key: of.email_methods.by_email_authentication_method_id(key),
    ),
    "externalAuthenticationMethod": (
        "External method",
        lambda of, key: of.external_authentication_methods.by_external_authentication_method_id(key),
    ),
    "windowsHelloForBusinessAuthenticationMethod": (
        "Windows Hello for Business",
        lambda of, key: of.windows_hello_for_business_methods.by_windows_hello_for_business_authentication_method_id(
            key
        ),
    ),
    "platformCredentialAuthenticationMethod": (
        "Platform credential",
        lambda of, key: of.platform_credential_methods.by_platform_credential_authentication_method_id(key),
    ),
    "fido2AuthenticationMethod": (
        "Security key or passkey",
        lambda of, key: of.fido2_methods.by_fido2_authentication_method_id(key),
    ),
    "softwareOathAuthenticationMethod": (
        "Authenticator app codes",
        lambda of, key: of.software_oath_methods.by_software_oath_authentication_method_id(key),
    ),
    "phoneAuthenticationMethod": (
        "Phone",
        lambda of, key: of.phone_methods.by_phone_authentication_method_id(key),
    ),
    "microsoftAuthenticatorAuthenticationMethod": (
        "Microsoft Authenticator",
        lambda of, key: of.microsoft_authenticator_methods.by_microsoft_authenticator_authentication_method_id(key),
    ),
}
_ORDER = tuple(_KINDS)
# These two only beta can delete.
_STUCK = {
    "hardwareOathAuthenticationMethod": "Hardware token",
    "qrCodePinAuthenticationMethod": "QR code with PIN",
}
_TITLES = {kind: title for kind, (title, _) in _KINDS.items()} | _STUCK

# Phones have fixed ids, the same for everybody (Microsoft Graph, phoneAuthenticationMethod, read 2026-11).
MOBILE = "3179e48a-750b-4051-897c-87b9720928f7"
ALTERNATE_MOBILE = "b6332ec1-7057-4abe-9331-3d72feddfe41"
OFFICE = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
_PHONES = (ALTERNATE_MOBILE, OFFICE, MOBILE)


async def read_methods(api: Graph, user: str) -> tuple[Method, ...]:
    """The registered sign-in methods, afresh, without the password, which is no method one can remove."""
    found = await api.read_all(api.user(user).authentication.methods.to_get_request_information())
    methods: list[Method] = []
    for entry in found:
        kind = text(entry, "@odata.type").removeprefix("#microsoft.graph.")
        if kind == "passwordAuthenticationMethod":
            continue
        detail = text(entry, "displayName") or text(entry, "phoneType")
        title = _TITLES.get(kind, kind or "unknown method")
        methods.append(Method(id=text(entry, "id"), kind=kind, title=f"{title} ({detail})" if detail else title))
    return tuple(methods)


def removable(kind: str) -> bool:
    """Whether Graph v1.0 can delete methods of that type; hardware tokens and QR codes only beta can."""
    return kind in _KINDS


def order_of_removal(methods: Iterable[Method]) -> tuple[Method, ...]:
    """Those that can be deleted first, the likely default last of them; then those that cannot."""

    def place(method: Method) -> tuple[int, int]:
        kind = _ORDER.index(method.kind) if method.kind in _KINDS else len(_ORDER)
        return kind, _PHONES.index(method.id) if method.id in _PHONES else 0

    return tuple(sorted(methods, key=place))


async def delete_method(api: Graph, user: str, key: str, kind: str, needs: Sequence[str]) -> None:
    """Delete one method; one that is gone already is fine.

    Should it be the default after all, the others go first: all of them were to go anyway. Raises Refused
    where Graph v1.0 has no way.
    """
    if not removable(kind):
        raise Refused(
            VENDOR,
            f"DELETE {kind}",
            "Graph v1.0 cannot delete this kind of method",
            "Delete it in https://entra.microsoft.com, Users > the person > Authentication methods.",
        )
    try:
        await _delete(api, user, key, kind, needs)
    except RefusedWith as refused:
        if not refused_as(refused, "default method"):
            raise
    else:
        return
    for other in order_of_removal(await read_methods(api, user)):
        if other.id != key and removable(other.kind):
            await _delete(api, user, other.id, other.kind, needs)
    await _delete(api, user, key, kind, needs)


async def _delete(api: Graph, user: str, key: str, kind: str, needs: Sequence[str]) -> None:
    _, where = _KINDS[kind]
    try:
        await api.send("DELETE", where(api.user(user).authentication, key), needs)
    except RefusedWith as refused:
        if not is_gone(refused):
            raise

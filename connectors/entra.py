"""Signing in to one client's Microsoft tenant, shared by the Microsoft systems.

azure-identity does the protocol; here its failures become sentences with a fix, and the application
permissions of our own token can be read, so that what is missing is known before it is needed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from connectors.contract import SignInFailed, Surroundings, Throttled, Unreachable, VendorError
from connectors.http import CONNECT_SECONDS, PATIENCE_SECONDS, quiet_loggers, redact, retry_after
from connectors.references import SecretReference

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.identity.aio import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CODE = re.compile(r"AADSTS(\d+)")

# What Entra's codes mean to the people who can mend it. Microsoft may change numbers (Entra "AADSTS error
# codes", read 2026-11), so they choose words only; nothing branches on them.
_CAUSES: dict[str, tuple[str, str]] = {
    "700016": ("our application is not known in this tenant", "An administrator of the client must consent: {consent}"),
    "65001": ("nobody has consented to our permissions", "An administrator of the client must consent: {consent}"),
    "7000215": (
        "the client secret is wrong",
        "Put the secret's value (not its id) behind the reference in clients.yml.",
    ),
    "7000222": ("the client secret has expired", "Create a new secret for the application and store it."),
    "700027": (
        "the certificate is not the application's",
        "Upload its public part to the application, or store the right one.",
    ),
    "90002": ("there is no such tenant", "Check tenant_id in clients.yml."),
    "53003": (
        "Conditional Access blocks our application",
        "Exclude the application from that policy in the client's tenant.",
    ),
    "50020": (
        "the signing-in user is a guest without access",
        "Use the application's own sign-in, not a partner user's.",
    ),
}
_UNKNOWN_CAUSE = ("Entra refused", "Look the code up at https://login.microsoftonline.com/error.")


@dataclass(frozen=True)
class Application:
    """Who we are in one tenant; secrets are references ('env/NAME', 'file/PATH'), exactly one of the three ways."""

    tenant_id: str
    client_id: str
    client_secret: str | None = None
    certificate: str | None = None
    authority: str = PUBLIC_AUTHORITY
    managed_identity: bool = False
    """The machine itself is somebody in Azure, by the id above: there is no secret."""

    @property
    def consent_link(self) -> str:
        """Where an administrator of the client consents to our permissions."""
        return f"{self.authority}/{quote(self.tenant_id)}/adminconsent?client_id={quote(self.client_id)}"


def _guid(value: str) -> str:
    # Graph writes ids in small letters, and they are compared.
    if not _GUID.fullmatch(value.lower()):
        raise ValueError("must be an id such as 00000000-0000-0000-0000-000000000000, not a name or an address")
    return value.lower()


def _tenant(value: str) -> str:
    if not _GUID.fullmatch(value.lower()) and not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("must be the tenant's id, or one of its domains such as contoso.onmicrosoft.com")
    return value.lower()


Guid = Annotated[str, AfterValidator(_guid)]
"""An object's or application's id in Entra, in small letters."""


class TenantSettings(BaseModel):
    """What the Microsoft systems' settings share: one client's tenant, and our application in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    audience: ClassVar[str]
    """Host the public cloud's token is for; a stand-in on this machine plays the public cloud."""

    tenant_id: Annotated[str, AfterValidator(_tenant)]
    client_id: Guid
    client_secret: SecretReference | None = None
    certificate: SecretReference | None = None
    """PEM text: the certificate and its private key."""
    base_url: str
    authority: str = PUBLIC_AUTHORITY
    patience: float = 20
    """Seconds to wait for one answer."""

    @field_validator("base_url", "authority")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
            raise ValueError("must be an https address: our token travels there")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give exactly one of client_secret and certificate")
        return self

    @property
    def scope(self) -> str:
        """The audience of our token."""
        host = urlsplit(self.base_url).hostname or ""
        return f"https://{self.audience if host in _LOOPBACK else host}/.default"

    @property
    def application(self) -> Application:
        """Who we are in this tenant."""
        return Application(self.tenant_id, self.client_id, self.client_secret, self.certificate, self.authority)


class EntraSignIn:
    """One client's credential, made at first need and kept; an AsyncTokenCredential for Microsoft's SDKs.

    Raises SignInFailed (with the fix), Throttled or Unreachable from `get_token`.
    """

    def __init__(self, vendor: str, application: Application, around: Surroundings) -> None:
        self._vendor, self._application, self._around = vendor, application, around
        self._credential: ClientSecretCredential | CertificateCredential | ManagedIdentityCredential | None = None
        # Many reads start side by side: the first fetches the token, the others find it.
        self._one_at_a_time = asyncio.Lock()

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """An access token: from the cache, or fresh when needed or when `claims` demand it."""
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
        from azure.core.exceptions import ServiceResponseError as NoResponse

        async with self._one_at_a_time:
            if self._credential is None:
                self._credential = self._make()
            credential = self._credential
            try:
                return await credential.get_token(
                    *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **kwargs
                )
            except ClientAuthenticationError as error:
                # A corrected secret must be read again the next time.
                self._credential = None
                await credential.close()
                raise self._explain(error) from None
            except (HttpResponseError, ServiceRequestError, NoResponse) as error:
                raise self._explain(error) from None

    async def permissions(self, scope: str) -> frozenset[str] | None:
        """Application permissions ('roles') in our own token for that scope; None when it can't be read."""
        token = (await self.get_token(scope, enable_cae=True)).token
        try:
            payload = token.split(".")[1]
            claims: object = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError, binascii.Error):
            # Microsoft promises nothing about a token's inside; then what is missing shows at the first refusal.
            return None
        if not isinstance(claims, dict):
            return None
        roles = cast("dict[str, object]", claims).get("roles", [])
        return frozenset(str(role) for role in cast("list[object]", roles)) if isinstance(roles, list) else None

    async def forget(self) -> None:
        """Drop credential and cached tokens: the next call signs in afresh."""
        async with self._one_at_a_time:
            credential, self._credential = self._credential, None
            if credential is not None:
                await credential.close()

    async def close(self) -> None:
        await self.forget()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()

    def _make(self) -> ClientSecretCredential | CertificateCredential | ManagedIdentityCredential:
        from azure.identity.aio import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential

        quiet_loggers()
        application = self._application
        if application.managed_identity:
            return ManagedIdentityCredential(
                client_id=application.client_id, connection_timeout=CONNECT_SECONDS, read_timeout=PATIENCE_SECONDS
            )
        options: dict[str, Any] = {
            "authority": application.authority,
            "disable_instance_discovery": application.authority != PUBLIC_AUTHORITY,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": PATIENCE_SECONDS,
            # A token may be asked for again safely; being told to wait goes to the engine instead.
            "retry_total": 2,
            "retry_status": 0,
            "retry_backoff_factor": 0.1,
        }
        if self._around.ca_file:
            options["connection_verify"] = str(self._around.ca_file)
        reference = application.certificate or application.client_secret
        if reference is None:
            raise SignInFailed(self._vendor, "sign-in", "no secret is configured", "Name one in clients.yml.")
        try:
            secret = self._around.secret(reference)
        except (LookupError, OSError, ValueError) as error:
            raise SignInFailed(
                self._vendor, "sign-in", f"the secret can't be read. {error}", f"Mend what lies behind {reference}."
            ) from None
        try:
            if application.certificate:
                options["certificate_data"] = secret.encode()
                return CertificateCredential(application.tenant_id, application.client_id, **options)
            return ClientSecretCredential(application.tenant_id, application.client_id, secret, **options)
        except ValueError:
            # The exception's own text may quote the secret.
            raise SignInFailed(
                self._vendor,
                "sign-in",
                f"what lies behind {reference} can't be used, or tenant_id is malformed",
                "A certificate is PEM text with both the certificate and its private key.",
            ) from None

    def _explain(self, error: Exception) -> VendorError:
        call = f"sign-in to tenant {self._application.tenant_id}"
        response: object = getattr(error, "response", None)
        status: int | None = getattr(response, "status_code", None)
        if status == 429:
            headers: Mapping[str, str] = getattr(response, "headers", {})
            wait = retry_after(headers.get("retry-after"), self._around.clock.now())
            return Throttled(self._vendor, call, wait)
        if status is None or status >= 500:
            return Unreachable(self._vendor, call, f"no usable answer ({status or type(error).__name__})")
        text = redact(str(error))
        found = _CODE.search(text)
        if found:
            cause, fix = _CAUSES.get(found[1], _UNKNOWN_CAUSE)
            fix = fix.format(consent=self._application.consent_link)
            return SignInFailed(self._vendor, call, f"{cause} (AADSTS{found[1]})", fix)
        said = text.split("\n", 1)[0]
        return SignInFailed(self._vendor, call, said, "Check tenant_id, client_id and the secret in clients.yml.")


def missing(needed: Sequence[str], held: frozenset[str] | None) -> tuple[str, ...]:
    """Which of the needed permissions are not held; nothing is known to be missing when `held` is None."""
    return () if held is None else tuple(name for name in needed if name not in held)

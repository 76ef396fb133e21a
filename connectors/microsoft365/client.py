"""Microsoft Graph for one client: the SDK's builders and sign-in, and JSON both ways.

Decoding a typed model costs some 12 ms of CPU per object and blocks the loop (measured, msgraph-sdk 1.65), so
the SDK makes the addresses and JSON the bodies; tests hold both against Microsoft's description. The SDK repeats
POSTs by itself; that is switched off. It is imported at first need.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

import httpx

from connectors.contract import Json, Surroundings, Throttled, Unreachable
from connectors.entra import EntraSignIn, missing
from connectors.http import Gate, RefusedWith, failure, http_client, origin, redact, retry_after
from connectors.microsoft365.settings import Microsoft365Settings
from connectors.together import Manner, Together

if TYPE_CHECKING:
    from kiota_abstractions.api_error import APIError
    from kiota_abstractions.base_request_builder import BaseRequestBuilder
    from kiota_abstractions.request_information import RequestInformation
    from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
    from msgraph.graph_request_adapter import GraphRequestAdapter
    from msgraph.graph_service_client import GraphServiceClient

VENDOR = "microsoft365"
_MODULES = (
    "azure.identity.aio",
    "msgraph.generated.models.o_data_errors.o_data_error",
    "msgraph.generated.users.item.user_item_request_builder",
    "msgraph.graph_service_client",
)
# A member's address without '/$ref' is the member itself: with User.ReadWrite.All, Graph then deletes the user
# (Graph, remove a group member, read 2026-11). Nothing of ours ever deletes a whole object.
_DELETES_AN_OBJECT = re.compile(
    r"/(users|groups|devices|directoryObjects|applications|servicePrincipals|members|owners)/[^/]+/?$"
)
Method = Literal["POST", "PATCH", "PUT", "DELETE"]
ADMIN_ROLES_NEEDED = "Privileged Authentication Administrator or Global Administrator"


def quoted(text: str) -> str:
    """A string inside an OData filter: O'Brien becomes 'O''Brien'. The URL encoding is the SDK's."""
    return "'" + text.replace("'", "''") + "'"


class Graph:
    """One client's connection. Raises the contract's surprises only; `call` in them is method and path."""

    def __init__(self, settings: Microsoft365Settings, around: Surroundings) -> None:
        self.settings, self.around = settings, around
        self.sign_in = EntraSignIn(VENDOR, settings.application, around)
        self.service_principal: str | None = None
        """Our own object id in this tenant, once facts have asked for it; it never changes."""
        self._transport: Together | None = None
        self._sdk: GraphServiceClient | None = None
        self._adapter: GraphRequestAdapter | None = None

    async def load(self) -> None:
        """Import the SDK (1 s cold) off the loop, and make the client. Sends nothing."""
        if self._sdk is None:
            await asyncio.to_thread(_import_sdk)
            self._connect()

    @property
    def sdk(self) -> GraphServiceClient:
        """The SDK's request builders."""
        if self._sdk is None:
            self._connect()
        assert self._sdk is not None  # noqa: S101 - for the type checker
        return self._sdk

    def user(self, object_id: str) -> UserItemRequestBuilder:
        """The builder of one user."""
        return self.sdk.users.by_user_id(object_id)

    @property
    def batch(self) -> BaseRequestBuilder:
        """Where many reads go in one request; the SDK's own batch builder decodes what it carries."""
        from kiota_abstractions.base_request_builder import BaseRequestBuilder as Builder

        _ = self.sdk
        assert self._adapter is not None  # noqa: S101 - made with the sdk
        return Builder(self._adapter, "{+baseurl}/$batch", None)

    async def close(self) -> None:
        """Let connection and credential go."""
        # The SDK's transport does not pass closing on to ours (msgraph-core 1.5), so ours is closed itself.
        if self._transport is not None:
            await self._transport.aclose()
        self._transport = self._sdk = self._adapter = None
        await self.sign_in.close()

    async def permissions(self) -> frozenset[str] | None:
        """Application permissions in our token; None when they can't be read."""
        return await self.sign_in.permissions(self.settings.scope)

    async def read(self, info: RequestInformation, **query: str | Sequence[str] | int | bool) -> Json:
        """One GET. `query` are OData options without the dollar: select=(…), filter='…'."""
        content = await self._send(with_query(info, query), ())
        return _json(call_of(info), content)

    async def find(self, info: RequestInformation, **query: str | Sequence[str] | int | bool) -> Json | None:
        """The same, or None when Graph says that there is no such thing."""
        try:
            return await self.read(info, **query)
        except RefusedWith as refused:
            if is_gone(refused):
                return None
            raise

    async def read_all(self, info: RequestInformation, **query: str | Sequence[str] | int | bool) -> list[Json]:
        """Every element of a collection, following the pages exactly as they are linked."""
        from kiota_abstractions.method import Method
        from kiota_abstractions.request_information import RequestInformation as Request

        found: list[Json] = []
        seen: set[str] = set()
        headers = info.headers
        call = call_of(info)
        page = await self.read(info, **query)
        while True:
            found += elements(call, page)
            link = page.get("@odata.nextLink")
            if not isinstance(link, str):
                return found
            if link in seen:
                raise Unreachable(VENDOR, call, "its pages lead in a circle")
            seen.add(link)
            following = Request(Method.GET)
            following.url = link
            # ConsistencyLevel must be sent again with each page (Microsoft Graph paging, read 2026-11).
            following.headers = headers
            page = await self.read(following)

    async def send(
        self, method: Method, where: BaseRequestBuilder, needs: Sequence[str], body: Json | None = None
    ) -> Json:
        """One change, sent once. `needs` are the permissions to name when it is forbidden.

        A builder that would delete a person, a group or a device is a mistake of ours, and is never sent.
        """
        from kiota_abstractions.method import Method as Verb
        from kiota_abstractions.request_information import RequestInformation as Request

        info = Request(Verb[method], where.url_template, where.path_parameters)
        info.headers.try_add("Accept", "application/json")
        if body is not None:
            info.set_stream_content(json.dumps(body).encode(), "application/json")
        if method == "DELETE" and _DELETES_AN_OBJECT.search(info.url):
            raise AssertionError(f"{call_of(info)} would delete the object itself; its '/$ref' is what was meant")
        content = await self._send(info, needs)
        return _json(call_of(info), content) if content else {}

    async def _send(self, info: RequestInformation, needs: Sequence[str]) -> bytes:
        """Send; a refused token is replaced by a fresh one once, since nothing can have happened before it."""
        from kiota_abstractions.api_error import APIError

        call = call_of(info)
        for fresh in (False, True):
            try:
                return await self._send_once(call, info)
            except APIError as error:
                if error.response_status_code == 401 and not fresh:
                    await self.sign_in.forget()
                    continue
                raise await self._explain(call, error, needs) from None
        raise AssertionError("the second attempt returns or raises")

    async def _send_once(self, call: str, info: RequestInformation) -> bytes:
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError

        _ = self.sdk
        assert self._adapter is not None  # noqa: S101 - made with the sdk
        # A header set by an earlier attempt would be kept: the SDK only adds, never replaces.
        info.headers.remove("Authorization")
        try:
            answer: object = await self._adapter.send_primitive_async(info, "bytes", {"XXX": ODataError})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(VENDOR, call, redact(f"no answer ({type(error).__name__})")) from error
        return answer if isinstance(answer, bytes) else b""

    async def _explain(self, call: str, error: APIError, needs: Sequence[str]) -> Exception:
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError

        status = error.response_status_code or 0
        told = error.error if isinstance(error, ODataError) else None
        code = (told.code if told else None) or ""
        message = (told.message if told else None) or ""
        headers = error.response_headers or {}
        if request_id := headers.get("request-id"):
            message = f"{message} [request-id {request_id}]"
        if code == "Directory_ConcurrencyViolation":
            # Microsoft asks to back off and repeat; nothing happened (Graph error responses, read 2026-11).
            return Throttled(VENDOR, call, 2)
        fix = await self._fix(status, needs)
        wait = retry_after(headers.get("retry-after"), self.around.clock.now())
        return failure(VENDOR, call, status, code, message, fix=fix, wait=wait)

    async def _fix(self, status: int, needs: Sequence[str]) -> str:
        if status == 401:
            return "Check that the application still exists in the tenant and is enabled."
        if status != 403:
            return ""
        lacking = missing(needs, await self.permissions())
        if lacking:
            return f"Grant our application {' and '.join(lacking)} and consent again."
        return (
            f"Give our application's service principal the role {ADMIN_ROLES_NEEDED} if the account is an "
            "administrator's, or do it by hand in the Entra admin centre."
        )

    def _connect(self) -> None:
        from kiota_authentication_azure.azure_identity_authentication_provider import (
            AzureIdentityAuthenticationProvider,
        )
        from kiota_http.middleware.options import RetryHandlerOption
        from msgraph.graph_request_adapter import GraphRequestAdapter, options
        from msgraph.graph_service_client import GraphServiceClient
        from msgraph_core import GraphClientFactory

        settings = self.settings
        provider = AzureIdentityAuthenticationProvider(
            self.sign_in, scopes=[settings.scope], allowed_hosts=[settings.host], is_cae_enabled=True
        )
        gate = Gate(VENDOR, self.around, [origin(settings.base_url)], patience=settings.patience)
        self._transport = Together(gate, self.around, batches(settings.base_url))
        no_retry = RetryHandlerOption(max_retries=0, should_retry=False)
        client = GraphClientFactory.create_with_default_middleware(
            client=http_client(self._transport), options={**options, RetryHandlerOption.get_key(): no_retry}
        )
        self._adapter = GraphRequestAdapter(provider, client)
        self._adapter.base_url = settings.base_url
        self._sdk = GraphServiceClient(request_adapter=self._adapter)


def batches(base_url: str) -> Manner:
    """How Graph takes several requests at once (Microsoft Graph, JSON batching, read 2026-11)."""
    return Manner(
        VENDOR,
        f"{base_url}/$batch",
        most=20,
        reads=lambda request: request.method == "GET",
        headers=("ConsistencyLevel", "Content-Type", "If-Match", "Prefer"),
        base=base_url,
    )


def refused_as(error: RefusedWith, *words: str) -> bool:
    """Whether the refusal's text contains one of the words: several refusals share one code."""
    text = error.message.casefold()
    return any(word.casefold() in text for word in words)


def is_gone(error: RefusedWith) -> bool:
    """Whether Graph says that there is no such thing."""
    return error.status == 404


def text(record: Json, name: str) -> str:
    """A text field; empty when it is absent, null or something else."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


async def set_enabled(api: Graph, user: str, needs: Sequence[str], *, enabled: bool) -> None:
    """Turn an account on or off."""
    await api.send("PATCH", api.user(user), needs, {"accountEnabled": enabled})


async def set_password(api: Graph, user: str, needs: Sequence[str]) -> None:
    """Set a random password that nobody sees; whoever signs in must change it."""
    profile: Json = {"password": api.around.password(), "forceChangePasswordNextSignIn": True}
    await api.send("PATCH", api.user(user), needs, {"passwordProfile": profile})


async def make_pass(api: Graph, user: str, needs: Sequence[str], *, minutes: int) -> str:
    """A Temporary Access Pass for one sign-in within so many minutes; only this answer ever shows it."""
    passes = api.user(user).authentication.temporary_access_pass_methods
    answer = await api.send("POST", passes, needs, {"isUsableOnce": True, "lifetimeInMinutes": minutes})
    value = text(answer, "temporaryAccessPass")
    if not value:
        raise Unreachable(VENDOR, "POST temporaryAccessPassMethods", "the answer carries no pass")
    return value


def _import_sdk() -> None:
    """Load everything the first block needs, so that the first block does not pay for it."""
    for module in _MODULES:
        importlib.import_module(module)


def with_query(info: RequestInformation, query: Mapping[str, str | Sequence[str] | int | bool]) -> RequestInformation:
    """The request with those OData options."""
    for name, value in query.items():
        # Keys as in the SDK's own URL templates: '%24' is the dollar.
        info.query_parameters[f"%24{name}"] = value
    if "search" in query or "count" in query:
        info.headers.try_add("ConsistencyLevel", "eventual")
    return info


def call_of(info: RequestInformation) -> str:
    """Method and path as a person knows them, without anybody's id: 'PATCH /users/{user-id}'."""
    method = info.http_method.value if info.http_method else "?"
    template = info.url_template
    if template is None:
        return f"{method} {httpx.URL(info.url).path}"
    return f"{method} {template.replace('{+baseurl}', '').split('{?', 1)[0].replace('%2D', '-')}"


def _json(call: str, content: bytes) -> Json:
    try:
        answer: object = json.loads(content)
    except ValueError as error:
        raise Unreachable(VENDOR, call, "the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise Unreachable(VENDOR, call, "the answer is not an object")
    return cast("Json", answer)


def elements(call: str, page: Json) -> list[Json]:
    """What a collection's page holds. Raises Unreachable when it is no collection."""
    value = page.get("value")
    if not isinstance(value, list):
        raise Unreachable(VENDOR, call, "the answer has no list of values")
    return [element for element in value if isinstance(element, dict)]

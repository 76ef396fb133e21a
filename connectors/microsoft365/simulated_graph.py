"""How the simulated Graph answers: routes, permissions, queries and the traps Microsoft documents.

No http in here; `simulator.py` serves it. What is modelled, and what is guessed, the README's table says.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast
from urllib.parse import quote

from connectors.contract import Json
from connectors.microsoft365.methods import ALTERNATE_MOBILE, MOBILE
from connectors.microsoft365.roles import MAY_CHANGE_ADMINS, PRIVILEGED_ROLES
from connectors.microsoft365.simulated_answers import (
    SYNCED_REFUSAL,
    Answer,
    Asked,
    Refusal,
    absent,
    filtering,
    forbidden,
    refused,
    searching,
    select,
    written,
)
from connectors.microsoft365.simulated_groups import ROUTES as GROUPS
from connectors.microsoft365.simulated_people import APPLICATION, Person, SignInMethod, Tenant
from connectors.microsoft365.simulated_rest import ROUTES as THE_REST
from connectors.microsoft365.simulated_rest import license_states
from connectors.microsoft365.simulated_roles import ROUTES as ROLES
from connectors.microsoft365.simulated_things import Device, Group
from connectors.simulated_faults import Effect

Kept = TypeVar("Kept", Person, Group, Device)

_DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
_COLLECTIONS = {
    "phoneMethods": "phoneAuthenticationMethod",
    "emailMethods": "emailAuthenticationMethod",
    "externalAuthenticationMethods": "externalAuthenticationMethod",
    "fido2Methods": "fido2AuthenticationMethod",
    "microsoftAuthenticatorMethods": "microsoftAuthenticatorAuthenticationMethod",
    "platformCredentialMethods": "platformCredentialAuthenticationMethod",
    "softwareOathMethods": "softwareOathAuthenticationMethod",
    "temporaryAccessPassMethods": "temporaryAccessPassAuthenticationMethod",
    "windowsHelloForBusinessMethods": "windowsHelloForBusinessAuthenticationMethod",
}
_DEFAULT_REFUSAL = (
    "Cannot delete default method with other methods configured. Please change default method before deletion."
)


@dataclass
class Directory:
    """One tenant's Graph: its state, what was done, and what reads still show."""

    tenant: Tenant
    now: Callable[[], datetime]
    base_url: str
    effects: list[Effect]
    _history: dict[str, list[tuple[datetime, object]]] = field(default_factory=dict[str, list[tuple[datetime, object]]])
    _reads: int = 0

    def answer(self, asked: Asked) -> Answer:
        """What Graph says."""
        self.catch_up()
        try:
            return self._route(asked)
        except Refusal as refusal:
            return refusal.answer

    def _route(self, asked: Asked) -> Answer:
        for method, pattern, permissions, handle in _ROUTES:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                if permissions and not asked.permissions & permissions:
                    raise forbidden()
                return handle(self, asked, *found.groups())
        raise Refusal(400, "BadRequest", f"Resource not found for the segment '{asked.path.rpartition('/')[2]}'.")

    # --- users

    def users(self, asked: Asked) -> Answer:
        """GET /users with $search, $filter, $select, $top."""
        people: Iterable[Person] = self.everybody()
        if search := asked.query.get("$search"):
            if not asked.eventual:
                raise Refusal(
                    400,
                    "Request_UnsupportedQuery",
                    "Request with $search query parameter only works through MSGraph with a special request "
                    "header: 'ConsistencyLevel: eventual'",
                )
            matches = searching(search)
            people = [person for person in people if matches(_user(person))]
        if wanted := asked.query.get("$filter"):
            keep = filtering(wanted)
            people = [person for person in people if keep(_user(person))]
        return self.page(asked, [select(_user(person), asked, _DEFAULT) for person in people])

    def user(self, asked: Asked, user_id: str) -> Answer:
        """GET /users/{id}."""
        person = self.seen(user_id)
        return Answer(200, select({**_user(person), **self.licensed(person)}, asked, _DEFAULT))

    def licensed(self, person: Person) -> Json:
        """What a user record says of licences."""
        return {"licenseAssignmentStates": [*license_states(self, person)]}

    def delete_user(self, asked: Asked, user_id: str) -> Answer:
        """DELETE /users/{id}: nothing of ours may ever ask for it."""
        return self.delete(user_id)

    def patch(self, asked: Asked, user_id: str) -> Answer:
        """PATCH /users/{id}: accountEnabled, passwordProfile, displayName."""
        fields = set(asked.body) - {"@odata.type"}
        if not fields or fields - set(_CHANGED_BY):
            raise refused("A property is not simulated or may not be changed.")
        for name in fields:
            if not asked.permissions & _CHANGED_BY[name]:
                raise forbidden()
        person = self.own(user_id)
        if fields & {"accountEnabled", "passwordProfile"}:
            self.guard_admin(person)
        if "passwordProfile" in fields:
            self._reset(person)
        if "accountEnabled" in fields:
            self._enable(person, asked.body["accountEnabled"] is True)
        if "displayName" in fields:
            self._rename(person, str(asked.body["displayName"]))
        return Answer(204)

    def revoke(self, asked: Asked, user_id: str) -> Answer:
        """POST revokeSignInSessions: 200 and true, whatever came of it."""
        person = self.own(user_id)
        if self.tenant.revoke_works and not person.guest:
            self.keep(person)
            person.sessions_valid_from = self.second()
            self.note(person, "sessions revoked")
        return Answer(200, {"@odata.context": f"{self.base_url}/$metadata#Edm.Boolean", "value": True})

    def direct_reports(self, asked: Asked, user_id: str) -> Answer:
        """GET directReports."""
        self.own(user_id)
        below = [_user(person) for person in self.everybody() if person.manager == user_id]
        return self.page(
            asked, [{"@odata.type": "#microsoft.graph.user", **select(one, asked, _DEFAULT)} for one in below]
        )

    # --- sign-in methods

    def methods(self, asked: Asked, user_id: str) -> Answer:
        """GET authentication/methods: the password and the rest."""
        person = self.seen(user_id)
        password: Json = {
            "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
            "id": "28c10230-6103-485e-b985-444c60001490",
        }
        return self.page(asked, [password, *(_method(one) for one in person.methods)])

    def delete_method(self, asked: Asked, user_id: str, collection: str, method_id: str) -> Answer:
        """DELETE one method, minding which is the default and which phone comes first."""
        kind = _COLLECTIONS.get(collection)
        person = self.own(user_id)
        found = next((one for one in person.methods if one.id == method_id and one.kind == kind), None)
        if found is None:
            raise Refusal(404, "resourceNotFound", "The requested resource was not found.")
        self.guard_admin(person)
        if method_id == person.default_method and len(person.methods) > 1:
            raise Refusal(400, "badRequest", _DEFAULT_REFUSAL)
        if method_id == MOBILE and any(one.id == ALTERNATE_MOBILE for one in person.methods):
            raise Refusal(400, "badRequest", "The alternate mobile phone must be deleted first.")
        self.keep(person)
        person.methods = [one for one in person.methods if one is not found]
        self.note(person, "method removed", found.kind)
        return Answer(204)

    def make_pass(self, asked: Asked, user_id: str) -> Answer:
        """POST a Temporary Access Pass."""
        person = self.own(user_id)
        if not self.tenant.passes_allowed:
            raise Refusal(
                400, "badRequest", "Temporary Access Pass is not enabled by the authentication methods policy."
            )
        minutes = asked.body.get("lifetimeInMinutes", 60)
        made = SignInMethod(secrets.token_hex(16), "temporaryAccessPassAuthenticationMethod")
        self.keep(person)
        person.methods = [one for one in person.methods if one.kind != made.kind] + [made]
        self.note(person, "pass issued")
        return Answer(
            201,
            {
                "@odata.context": f"{self.base_url}/$metadata#users('{user_id}')/authentication/"
                "temporaryAccessPassMethods/$entity",
                "id": made.id,
                "isUsable": True,
                "methodUsabilityReason": "EnabledByPolicy",
                "temporaryAccessPass": secrets.token_urlsafe(9),
                "lifetimeInMinutes": minutes,
                "isUsableOnce": asked.body.get("isUsableOnce") is True,
                "startDateTime": written(self.second()),
                "createdDateTime": written(self.second()),
            },
        )

    # --- roles and the rest

    def domains(self, asked: Asked) -> Answer:
        """GET domains."""
        listed: list[Json] = [
            {"id": domain, "authenticationType": kind} for domain, kind in self.tenant.domains.items()
        ]
        return Answer(200, {"@odata.context": f"{self.base_url}/$metadata#domains", "value": [*listed]})

    def service_principals(self, asked: Asked) -> Answer:
        """GET servicePrincipals by appId."""
        keep = filtering(asked.query.get("$filter", ""))
        ours: Json = {"id": self.tenant.service_principal, "appId": APPLICATION}
        return self.page(asked, [select(one, asked, ("id", "appId")) for one in (ours,) if keep(one)])

    # --- what lies beneath

    def own(self, user_id: str) -> Person:
        """The person as they are now; 404 when there is none."""
        if user_id not in self.tenant.people:
            raise absent(user_id)
        return self.tenant.people[user_id]

    def seen(self, user_id: str) -> Person:
        """The person as a read shows them."""
        return self.late(self.own(user_id))

    def late(self, thing: Kept) -> Kept:
        """Something as a read shows it: late by `lag`, and in turns when flickering."""
        since = self.now() - timedelta(seconds=self.tenant.lag)
        stale = next((was for at, was in self._history.get(thing.id, ()) if at > since), None)
        if stale is None or not self.tenant.lag:
            return thing
        self._reads += 1
        return thing if self.tenant.flicker and self._reads % 2 else cast("Kept", stale)

    def everybody(self) -> list[Person]:
        """Everybody, as a read shows them."""
        return [self.seen(user_id) for user_id in self.tenant.people]

    def keep(self, thing: Person | Group | Device) -> None:
        """Remember what stood there before a change, for late reads."""
        self._history.setdefault(thing.id, []).append((self.now(), copy.deepcopy(thing)))

    def note(self, person: Person, what: str, detail: str = "") -> None:
        """Write down that something changed."""
        self.effects.append(Effect(len(self.effects) + 1, self.now(), self.tenant.id, person.id, what, detail))

    def second(self) -> datetime:
        """Now, as Graph keeps it: in whole seconds."""
        return self.now().astimezone(UTC).replace(microsecond=0)

    def guard_admin(self, person: Person) -> None:
        """Refuse what only higher roles may do to an administrator."""
        held = set(person.roles) & set(PRIVILEGED_ROLES)
        grouped = any(
            group.assignable and person.id in (*group.members, *group.owners) for group in self.tenant.groups.values()
        )
        if (held or grouped) and not MAY_CHANGE_ADMINS & set(self.tenant.our_roles):
            raise forbidden()

    def _enable(self, person: Person, enabled: bool) -> None:
        self.keep(person)
        person.enabled = enabled
        self.note(person, "unblocked" if enabled else "blocked")
        if person.synced:
            person.sync_reverts_at = self.now() + timedelta(seconds=self.tenant.sync_reverts_after)

    def _reset(self, person: Person) -> None:
        domain = person.user_name.rpartition("@")[2]
        if person.synced or person.guest or self.tenant.domains.get(domain) == "Federated":
            raise Refusal(400, "Request_BadRequest", SYNCED_REFUSAL)
        self.keep(person)
        person.password_changed = self.second()
        if self.tenant.reset_ends_sessions:
            person.sessions_valid_from = self.second()
        self.note(person, "password reset")

    def _rename(self, person: Person, name: str) -> None:
        if person.synced:
            raise refused(SYNCED_REFUSAL)
        self.keep(person)
        person.name = name
        self.note(person, "renamed", name)

    def delete(self, person_id: str) -> Answer:
        """Delete the account itself, as a member's address without '/$ref' does."""
        person = self.own(person_id)
        person.enabled, person.deleted_at = False, self.now()
        self.tenant.deleted[person_id] = self.tenant.people.pop(person_id)
        self.note(person, "DELETED")
        return Answer(204)

    def catch_up(self) -> None:
        """What happens by itself and is due: a sync, a role that ends."""
        for person in self.tenant.people.values():
            for role in [role for role, at in person.eligible_ends.items() if self.now() >= at]:
                person.eligible = tuple(one for one in person.eligible if one != role)
                del person.eligible_ends[role]
                self.note(person, "role can't be activated any more", role)
            if not person.synced or person.sync_reverts_at is None or self.now() < person.sync_reverts_at:
                continue
            person.last_sync = self.second()
            person.sync_reverts_at = self.now() + timedelta(seconds=self.tenant.sync_reverts_after)
            stays = person.sam in self.tenant.domain_disabled
            if person.enabled == stays:
                person.enabled = not stays
                self.note(person, "disabled by the domain" if stays else "enabled again by the domain")

    def page(self, asked: Asked, values: list[Json]) -> Answer:
        """A collection, one page of it."""
        size = min(int(asked.query.get("$top", "0")) or self.tenant.page_size, self.tenant.page_size)
        start = int(asked.query.get("$skiptoken", "0"))
        body: Json = {
            "@odata.context": f"{self.base_url}/$metadata#{asked.path.strip('/').split('/')[0]}",
            "value": [*values[start : start + size]],
        }
        if start + size < len(values):
            host = "http://elsewhere.example/v1.0" if self.tenant.serve_foreign_links else self.base_url
            following = size if self.tenant.serve_circular_links else start + size
            kept = {**asked.query, "$skiptoken": str(following)}
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in kept.items())
            body["@odata.nextLink"] = f"{host}{asked.path}?{query}"
        return Answer(200, body)


def _user(person: Person) -> Json:
    return {
        "id": person.id,
        "displayName": person.name,
        "givenName": person.given_name or None,
        "surname": person.surname or None,
        "userPrincipalName": person.user_name,
        "mail": person.mail or None,
        "jobTitle": person.title or None,
        "employeeId": person.employee_id or None,
        "accountEnabled": person.enabled,
        "userType": "Guest" if person.guest else "Member",
        "onPremisesSyncEnabled": person.synced or None,
        "onPremisesSamAccountName": person.sam or None,
        "onPremisesDistinguishedName": person.dn or None,
        "onPremisesLastSyncDateTime": written(person.last_sync),
        "onPremisesImmutableId": person.immutable_id or None,
        "signInSessionsValidFromDateTime": written(person.sessions_valid_from),
        "lastPasswordChangeDateTime": written(person.password_changed),
        "usageLocation": person.usage_location or None,
        "licenseAssignmentStates": [],
        "businessPhones": [],
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
    }


def _method(method: SignInMethod) -> Json:
    shown: Json = {"@odata.type": f"#microsoft.graph.{method.kind}", "id": method.id}
    if method.kind == "phoneAuthenticationMethod":
        shown |= {"phoneNumber": "+1 5555550100", "phoneType": method.detail, "smsSignInState": "notEnabled"}
    elif method.kind == "emailAuthenticationMethod":
        shown["emailAddress"] = method.detail
    elif method.kind not in ("temporaryAccessPassAuthenticationMethod", "softwareOathAuthenticationMethod"):
        shown["displayName"] = method.detail
    return shown


_CHANGED_BY = {
    "accountEnabled": frozenset({"User.EnableDisableAccount.All", "User.ReadWrite.All"}),
    "passwordProfile": frozenset({"User-PasswordProfile.ReadWrite.All"}),
    "displayName": frozenset({"User.ReadWrite.All"}),
}


def _any(*names: str) -> frozenset[str]:
    return frozenset(names)


_USERS = _any("User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
_METHODS = _any("UserAuthenticationMethod.ReadWrite.All")
_ONE = "/users/([^/]+)"
_ROUTES: tuple[tuple[str, str, frozenset[str], Callable[..., Answer]], ...] = (
    ("GET", "/users", _USERS, Directory.users),
    ("GET", _ONE, _USERS, Directory.user),
    ("PATCH", _ONE, frozenset(), Directory.patch),
    ("POST", f"{_ONE}/revokeSignInSessions", _any("User.RevokeSessions.All"), Directory.revoke),
    ("GET", f"{_ONE}/directReports", _USERS, Directory.direct_reports),
    (
        "GET",
        f"{_ONE}/authentication/methods",
        _METHODS | {"UserAuthenticationMethod.Read.All"},
        Directory.methods,
    ),
    ("POST", f"{_ONE}/authentication/temporaryAccessPassMethods", _METHODS, Directory.make_pass),
    ("DELETE", f"{_ONE}/authentication/([^/]+)/([^/]+)", _METHODS, Directory.delete_method),
    ("GET", "/domains", _any("Domain.Read.All", "Directory.Read.All"), Directory.domains),
    (
        "GET",
        "/servicePrincipals",
        _any("Application.Read.All", "Directory.Read.All"),
        Directory.service_principals,
    ),
    ("DELETE", _ONE, _any("User.ReadWrite.All", "User.DeleteRestore.All"), Directory.delete_user),
    *GROUPS,
    *THE_REST,
    *ROLES,
)

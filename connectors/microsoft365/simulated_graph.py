"""How the simulated Graph answers: routes, permissions, queries and the traps Microsoft documents.

No http in here; `simulator.py` serves it. What is modelled, and what is guessed, the README's table says.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from connectors.contract import Json
from connectors.microsoft365.methods import ALTERNATE_MOBILE, MOBILE
from connectors.microsoft365.roles import MAY_CHANGE_ADMINS, PRIVILEGED_ROLES
from connectors.microsoft365.simulated_answers import Answer, Refusal, filtering, forbidden, searching
from connectors.microsoft365.simulated_people import APPLICATION, Person, SignInMethod, Tenant

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
_SYNCED_REFUSAL = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
    "currently undergoing migration."
)
_DEFAULT_REFUSAL = (
    "Cannot delete default method with other methods configured. Please change default method before deletion."
)


@dataclass(frozen=True)
class Asked:
    """One request, as the directory sees it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    eventual: bool
    """ConsistencyLevel: eventual was sent."""
    permissions: frozenset[str]


@dataclass(frozen=True)
class Effect:
    """Something that changed in a tenant."""

    number: int
    at: datetime
    tenant: str
    user: str
    what: str
    detail: str = ""


@dataclass
class Directory:
    """One tenant's Graph: its state, what was done, and what reads still show."""

    tenant: Tenant
    now: Callable[[], datetime]
    base_url: str
    effects: list[Effect]
    _history: dict[str, list[tuple[datetime, Person]]] = field(default_factory=dict[str, list[tuple[datetime, Person]]])
    _reads: int = 0

    def answer(self, asked: Asked) -> Answer:
        """What Graph says."""
        self._sync()
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
        people: Iterable[Person] = self._all()
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
        return self._page(asked, [_select(_user(person), asked, _DEFAULT) for person in people])

    def user(self, asked: Asked, user_id: str) -> Answer:
        """GET /users/{id}."""
        return Answer(200, _select(_user(self._seen(user_id)), asked, _DEFAULT))

    def patch(self, asked: Asked, user_id: str) -> Answer:
        """PATCH /users/{id}: accountEnabled and passwordProfile only."""
        fields = set(asked.body) - {"@odata.type"}
        if not fields or fields - {"accountEnabled", "passwordProfile"}:
            raise Refusal(400, "Request_BadRequest", "A property is not simulated or may not be changed.")
        needed = {"accountEnabled": "User.EnableDisableAccount.All"}
        for name in fields:
            one = needed.get(name, "User-PasswordProfile.ReadWrite.All")
            if not asked.permissions & {one, *({"User.ReadWrite.All"} if name == "accountEnabled" else ())}:
                raise forbidden()
        person = self._own(user_id)
        self._guard_admin(person)
        if "passwordProfile" in fields:
            self._reset(person)
        if "accountEnabled" in fields:
            self._enable(person, asked.body["accountEnabled"] is True)
        return Answer(204)

    def revoke(self, asked: Asked, user_id: str) -> Answer:
        """POST revokeSignInSessions: 200 and true, whatever came of it."""
        person = self._own(user_id)
        if self.tenant.revoke_works and not person.guest:
            self._keep(person)
            person.sessions_valid_from = self._second()
            self._note(person, "sessions revoked")
        return Answer(200, {"@odata.context": f"{self.base_url}/$metadata#Edm.Boolean", "value": True})

    def direct_reports(self, asked: Asked, user_id: str) -> Answer:
        """GET directReports."""
        self._own(user_id)
        below = [_user(person) for person in self._all() if person.manager == user_id]
        return self._page(
            asked, [{"@odata.type": "#microsoft.graph.user", **_select(one, asked, _DEFAULT)} for one in below]
        )

    def member_of(self, asked: Asked, user_id: str) -> Answer:
        """GET transitiveMemberOf."""
        return self._groups(asked, [g.id for g in self.tenant.groups.values() if user_id in g.members])

    def owned(self, asked: Asked, user_id: str) -> Answer:
        """GET ownedObjects."""
        return self._groups(asked, [g.id for g in self.tenant.groups.values() if user_id in g.owners])

    # --- sign-in methods

    def methods(self, asked: Asked, user_id: str) -> Answer:
        """GET authentication/methods: the password and the rest."""
        person = self._seen(user_id)
        password: Json = {
            "@odata.type": "#microsoft.graph.passwordAuthenticationMethod",
            "id": "28c10230-6103-485e-b985-444c60001490",
        }
        return self._page(asked, [password, *(_method(one) for one in person.methods)])

    def delete_method(self, asked: Asked, user_id: str, collection: str, method_id: str) -> Answer:
        """DELETE one method, minding which is the default and which phone comes first."""
        kind = _COLLECTIONS.get(collection)
        person = self._own(user_id)
        found = next((one for one in person.methods if one.id == method_id and one.kind == kind), None)
        if found is None:
            raise Refusal(404, "resourceNotFound", "The requested resource was not found.")
        self._guard_admin(person)
        if method_id == person.default_method and len(person.methods) > 1:
            raise Refusal(400, "badRequest", _DEFAULT_REFUSAL)
        if method_id == MOBILE and any(one.id == ALTERNATE_MOBILE for one in person.methods):
            raise Refusal(400, "badRequest", "The alternate mobile phone must be deleted first.")
        self._keep(person)
        person.methods = [one for one in person.methods if one is not found]
        self._note(person, "method removed", found.kind)
        return Answer(204)

    def make_pass(self, asked: Asked, user_id: str) -> Answer:
        """POST a Temporary Access Pass."""
        person = self._own(user_id)
        if not self.tenant.passes_allowed:
            raise Refusal(
                400, "badRequest", "Temporary Access Pass is not enabled by the authentication methods policy."
            )
        minutes = asked.body.get("lifetimeInMinutes", 60)
        made = SignInMethod(secrets.token_hex(16), "temporaryAccessPassAuthenticationMethod")
        self._keep(person)
        person.methods = [one for one in person.methods if one.kind != made.kind] + [made]
        self._note(person, "pass issued")
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
                "startDateTime": _written(self._second()),
                "createdDateTime": _written(self._second()),
            },
        )

    # --- roles and the rest

    def role_assignments(self, asked: Asked) -> Answer:
        """GET roleAssignments by principal or role."""
        held = [(person.id, role) for person in self._all() for role in person.roles]
        held += [(group.id, role) for group in self.tenant.groups.values() for role in group.roles]
        held += [(self.tenant.service_principal, role) for role in self.tenant.our_roles]
        return self._roles(asked, held)

    def eligible(self, asked: Asked) -> Answer:
        """GET roleEligibilityScheduleInstances; needs Entra ID P2."""
        if not self.tenant.premium:
            raise Refusal(
                400,
                "AadPremiumLicenseRequired",
                "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.",
            )
        return self._roles(asked, [(person.id, role) for person in self._all() for role in person.eligible])

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
        return self._page(asked, [_select(one, asked, ("id", "appId")) for one in (ours,) if keep(one)])

    # --- what lies beneath

    def _own(self, user_id: str) -> Person:
        if user_id not in self.tenant.people:
            raise Refusal(
                404,
                "Request_ResourceNotFound",
                f"Resource '{user_id}' does not exist or one of its queried reference-property objects are "
                "not present.",
            )
        return self.tenant.people[user_id]

    def _seen(self, user_id: str) -> Person:
        """The person as a read shows them: late by `lag`, and in turns when flickering."""
        person = self._own(user_id)
        since = self.now() - timedelta(seconds=self.tenant.lag)
        stale = next((was for at, was in self._history.get(user_id, ()) if at > since), None)
        if stale is None or not self.tenant.lag:
            return person
        self._reads += 1
        return person if self.tenant.flicker and self._reads % 2 else stale

    def _all(self) -> list[Person]:
        return [self._seen(user_id) for user_id in self.tenant.people]

    def _keep(self, person: Person) -> None:
        self._history.setdefault(person.id, []).append((self.now(), copy.deepcopy(person)))

    def _note(self, person: Person, what: str, detail: str = "") -> None:
        self.effects.append(Effect(len(self.effects) + 1, self.now(), self.tenant.id, person.id, what, detail))

    def _second(self) -> datetime:
        return self.now().astimezone(UTC).replace(microsecond=0)

    def _guard_admin(self, person: Person) -> None:
        held = set(person.roles) & set(PRIVILEGED_ROLES)
        grouped = any(
            group.assignable and person.id in (*group.members, *group.owners) for group in self.tenant.groups.values()
        )
        if (held or grouped) and not MAY_CHANGE_ADMINS & set(self.tenant.our_roles):
            raise forbidden()

    def _enable(self, person: Person, enabled: bool) -> None:
        self._keep(person)
        person.enabled = enabled
        self._note(person, "unblocked" if enabled else "blocked")
        reverts = person.synced and not enabled
        later = self.now() + timedelta(seconds=self.tenant.sync_reverts_after)
        person.sync_reverts_at = later if reverts else None

    def _reset(self, person: Person) -> None:
        domain = person.user_name.rpartition("@")[2]
        if person.synced or person.guest or self.tenant.domains.get(domain) == "Federated":
            raise Refusal(400, "Request_BadRequest", _SYNCED_REFUSAL)
        self._keep(person)
        person.password_changed = self._second()
        if self.tenant.reset_ends_sessions:
            person.sessions_valid_from = self._second()
        self._note(person, "password reset")

    def _sync(self) -> None:
        for person in self.tenant.people.values():
            if person.sync_reverts_at and self.now() >= person.sync_reverts_at:
                person.enabled, person.sync_reverts_at = True, None
                self._note(person, "enabled again by the domain")

    def _groups(self, asked: Asked, ids: list[str]) -> Answer:
        shown: list[Json] = []
        for group_id in ids:
            group = self.tenant.groups[group_id]
            whole: Json = {
                "id": group.id,
                "displayName": group.name,
                "isAssignableToRole": group.assignable or None,
            }
            shown.append({"@odata.type": "#microsoft.graph.group", **_select(whole, asked, tuple(whole))})
        return self._page(asked, shown)

    def _roles(self, asked: Asked, held: list[tuple[str, str]]) -> Answer:
        keep = filtering(asked.query.get("$filter", ""))
        expanded = "roleDefinition" in asked.query.get("$expand", "")
        shown: list[Json] = []
        for principal, role in held:
            one: Json = {
                "id": f"{principal[-6:]}-{role[:8]}",
                "principalId": principal,
                "roleDefinitionId": role,
                "directoryScopeId": "/",
            }
            if expanded:
                one["roleDefinition"] = {
                    "id": role,
                    "templateId": role,
                    "displayName": PRIVILEGED_ROLES.get(role, "Directory Readers"),
                }
            if keep(one):
                shown.append(one)
        return self._page(asked, shown)

    def _page(self, asked: Asked, values: list[Json]) -> Answer:
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


def _written(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _user(person: Person) -> Json:
    return {
        "id": person.id,
        "displayName": person.name,
        "givenName": person.given_name,
        "surname": person.surname,
        "userPrincipalName": person.user_name,
        "mail": person.mail or None,
        "jobTitle": person.title or None,
        "employeeId": person.employee_id or None,
        "accountEnabled": person.enabled,
        "userType": "Guest" if person.guest else "Member",
        "onPremisesSyncEnabled": person.synced or None,
        "onPremisesSamAccountName": person.sam or None,
        "onPremisesDistinguishedName": person.dn or None,
        "onPremisesLastSyncDateTime": _written(person.last_sync),
        "onPremisesImmutableId": person.immutable_id or None,
        "signInSessionsValidFromDateTime": _written(person.sessions_valid_from),
        "lastPasswordChangeDateTime": _written(person.password_changed),
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


def _select(whole: Json, asked: Asked, default: Iterable[str]) -> Json:
    names = asked.query["$select"].split(",") if "$select" in asked.query else list(default)
    return {name: whole[name] for name in names if name in whole}


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
    ("GET", f"{_ONE}/transitiveMemberOf", _any("Directory.Read.All", "GroupMember.Read.All"), Directory.member_of),
    ("GET", f"{_ONE}/ownedObjects", _any("Directory.Read.All"), Directory.owned),
    (
        "GET",
        f"{_ONE}/authentication/methods",
        _METHODS | {"UserAuthenticationMethod.Read.All"},
        Directory.methods,
    ),
    ("POST", f"{_ONE}/authentication/temporaryAccessPassMethods", _METHODS, Directory.make_pass),
    ("DELETE", f"{_ONE}/authentication/([^/]+)/([^/]+)", _METHODS, Directory.delete_method),
    (
        "GET",
        "/roleManagement/directory/roleAssignments",
        _any("RoleManagement.Read.Directory", "Directory.Read.All"),
        Directory.role_assignments,
    ),
    (
        "GET",
        "/roleManagement/directory/roleEligibilityScheduleInstances",
        _any("RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.Directory"),
        Directory.eligible,
    ),
    ("GET", "/domains", _any("Domain.Read.All", "Directory.Read.All"), Directory.domains),
    (
        "GET",
        "/servicePrincipals",
        _any("Application.Read.All", "Directory.Read.All"),
        Directory.service_principals,
    ),
)

"""Keeps the bot tokens of workspaces that installed the app from its page: one encrypted file, the owner's alone.

The file holds nothing anybody can read, not even which workspaces there are. It is replaced as a whole, so that a
crash leaves the old one or the new one; what can't be decrypted is never written over.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore

log = logging.getLogger("offboard.slack")

HOW_TO_MAKE_ONE = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


class Unreadable(ValueError):
    """One sentence that names the file or the key's reference, and the fix."""


@dataclass(frozen=True)
class Installed:
    """The app in one workspace."""

    team: str
    name: str
    bot_token: str = field(repr=False)
    bot_id: str
    bot_user: str
    app: str
    scopes: str
    installed_at: float
    refresh_token: str = field(default="", repr=False)
    expires_at: int = 0
    """Seconds since 1970; 0: never. Only where the Slack app has token rotation switched on."""

    def bot(self) -> Bot:
        """The same for slack_sdk."""
        return Bot(
            app_id=self.app,
            team_id=self.team,
            team_name=self.name,
            bot_token=self.bot_token,
            bot_id=self.bot_id,
            bot_user_id=self.bot_user,
            bot_scopes=self.scopes,
            bot_refresh_token=self.refresh_token or None,
            bot_token_expires_at=self.expires_at or None,
            installed_at=self.installed_at,
        )


class Installations(AsyncInstallationStore):
    """slack_sdk's installation store over that file. Users' own tokens are never kept: none is asked for."""

    def __init__(self, file: Path, keys: str, reference: str) -> None:
        """Reads the file and writes nothing. `keys`: newest first. Raises Unreadable."""
        self._file, self._reference = file, reference
        self._sealing = _ciphers(keys, reference)
        self._installed, _ = _opened(file, self._sealing, reference)
        self._one_at_a_time = asyncio.Lock()

    @property
    def logger(self) -> logging.Logger:
        return log

    @property
    def teams(self) -> frozenset[str]:
        """Every workspace in the file, bound in clients.yml or not."""
        return frozenset(self._installed)

    def find(self, team: str) -> Installed | None:
        """The installation there, if any."""
        return self._installed.get(team)

    async def take_over(self) -> None:
        """The file is ours alone by now: read it once more, and encrypt anew what an older key was needed for.

        Raises Unreadable; a file that can't be written stays under its old key, which is said.
        """
        self._installed, old = await asyncio.to_thread(_opened, self._file, self._sealing, self._reference)
        if old:
            try:
                await self._write(self._installed)
            except OSError as error:
                log.error(
                    "%s can't be written (%s): the older key in slack.oauth.key is still needed, nobody can install",
                    self._file,
                    error.strerror,
                )

    async def remove(self, team: str, at: float) -> bool:
        """Forget that workspace, unless it was installed anew since: Slack repeats events, and gives whole seconds."""

        def unless_anew(kept: Installed | None) -> Installed | None:
            return kept if kept and kept.installed_at > at + 1 else None

        return team in self._installed and await self._change(team, unless_anew) is None

    # --- slack_sdk's store ----------------------------------------------------------------------

    async def async_save(self, installation: Installation) -> None:
        await self.async_save_bot(installation.to_bot())

    async def async_save_bot(self, bot: Bot) -> None:
        if not bot.team_id or bot.is_enterprise_install:
            raise ValueError("only an installation in one workspace is kept")
        installed = Installed(
            team=bot.team_id,
            name=bot.team_name or "",
            bot_token=bot.bot_token,
            bot_id=bot.bot_id,
            bot_user=bot.bot_user_id,
            app=bot.app_id or "",
            scopes=",".join(bot.bot_scopes),
            installed_at=bot.installed_at,
            refresh_token=bot.bot_refresh_token or "",
            expires_at=bot.bot_token_expires_at or 0,
        )
        await self._change(bot.team_id, lambda _kept: installed)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        kept = None if is_enterprise_install else self._installed.get(team_id or "")
        return kept.bot() if kept else None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        if team_id:
            await self._change(team_id, lambda _kept: None)

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Nothing of a single user's is kept."""

    async def renewed(self, before: Installed, bot: Bot) -> None:
        """The token Slack gave for the old one. Whoever installed again meanwhile is left alone."""
        new = replace(
            before,
            bot_token=bot.bot_token,
            refresh_token=bot.bot_refresh_token or "",
            expires_at=bot.bot_token_expires_at or 0,
        )
        await self._change(before.team, lambda kept: new if kept == before else kept)

    # --- the file -------------------------------------------------------------------------------

    async def _change(self, team: str, to: Callable[[Installed | None], Installed | None]) -> Installed | None:
        """One at a time, to the disk first: what is answered is there after a crash."""
        async with self._one_at_a_time:
            then = {name: one for name, one in self._installed.items() if name != team}
            new = to(self._installed.get(team))
            if new is not None:
                then[team] = new
            if then != self._installed:
                await self._write(then)
                self._installed = then
            return new

    async def _write(self, installed: Mapping[str, Installed]) -> None:
        content = json.dumps([asdict(one) for one in installed.values()]).encode()
        sealed = self._sealing[0].encrypt(content)
        await asyncio.to_thread(_replace, self._file, sealed)


def _ciphers(keys: str, reference: str) -> list[Fernet]:
    try:
        found = [Fernet(key) for key in re.split(r"[\s,]+", keys.strip()) if key]
    except ValueError:
        found = []
    if not found:
        raise Unreadable(
            f"What lies behind slack.oauth.key ({reference}) is no key: make one with {HOW_TO_MAKE_ONE}, "
            "several stand newest first, each on a line."
        )
    return found


def _opened(file: Path, ciphers: list[Fernet], reference: str) -> tuple[dict[str, Installed], bool]:
    """What is in the file, and whether an older key was needed. A file that is not there is empty."""
    try:
        sealed = file.read_bytes()
    except FileNotFoundError:
        return {}, False
    except OSError as error:
        raise Unreadable(
            f"The Slack installations in {file} can't be read ({error.strerror}): make the file readable, or name "
            "another in slack.oauth.installations."
        ) from None
    try:
        content = MultiFernet(ciphers).decrypt(sealed)
        values = cast("list[dict[str, Any]]", json.loads(content))
        installed = {one.team: one for one in (Installed(**value) for value in values)}
    except (InvalidToken, ValueError, TypeError):
        raise Unreadable(
            f"The Slack installations in {file} can't be decrypted with slack.oauth.key ({reference}): put the key "
            "they were written with back, below the newer ones. The file was left as it is."
        ) from None
    return installed, not _opens(ciphers[0], sealed)


def _opens(cipher: Fernet, sealed: bytes) -> bool:
    try:
        cipher.decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _replace(file: Path, content: bytes) -> None:
    """Write beside it, to the disk, then take its place. mkstemp makes files the owner alone can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

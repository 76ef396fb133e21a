"""The encrypted file of installations: keys that change, keys that are wrong, and a file that is never lost."""
# ruff: noqa: ASYNC240 - nothing else runs in the loop of these tests

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from slack_sdk.oauth.installation_store import Installation

from bot.slack.installations import Installations, Unreadable

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "offboard.db.installations"


def opened(file: Path, *keys: str) -> Installations:
    return Installations(file, "\n".join(keys), "env/KEY")


def installation(team: str | None = "T0CONTOSO", **changed: object) -> Installation:
    values = {
        "app_id": "A0",
        "team_id": team,
        "team_name": "contoso",
        "bot_token": f"xoxb-{team}",
        "bot_id": "B0",
        "bot_user_id": "U0BOT",
        "bot_scopes": ["commands"],
        "user_id": "U0",
        "user_token": "xoxp-somebodys-own",
    }
    return Installation(**{**values, **changed})  # pyright: ignore[reportArgumentType] - slack_sdk names each


async def test_nothing_is_written_before_something_is_installed(file: Path) -> None:
    installed = opened(file, NEW)
    await installed.take_over()
    assert installed.teams == frozenset()
    assert not file.parent.exists()


async def test_what_is_saved_is_found_by_slacks_library_too_and_no_users_token_is_kept(file: Path) -> None:
    await opened(file, NEW).async_save(installation())
    bot = await opened(file, NEW).async_find_bot(enterprise_id=None, team_id="T0CONTOSO")
    assert bot is not None
    assert (bot.bot_token, bot.bot_user_id, bot.bot_scopes) == ("xoxb-T0CONTOSO", "U0BOT", ["commands"])
    assert b"xoxp" not in Fernet(NEW).decrypt(file.read_bytes())
    assert await opened(file, NEW).async_find_bot(enterprise_id="E0", team_id=None, is_enterprise_install=True) is None


async def test_a_file_others_could_read_is_the_owners_alone_after_the_next_change(file: Path) -> None:
    installed = opened(file, NEW)
    await installed.async_save(installation())
    file.chmod(0o644)
    await installed.async_save(installation("T0FABRIKAM"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_new_key_is_put_before_the_old_one_which_may_go_after_one_start(file: Path) -> None:
    await opened(file, OLD).async_save(installation())
    both = opened(file, NEW, OLD)
    assert both.find("T0CONTOSO") is not None
    with pytest.raises(InvalidToken):
        Fernet(NEW).decrypt(file.read_bytes())
    await both.take_over()
    alone = opened(file, NEW)
    kept = alone.find("T0CONTOSO")
    assert kept is not None
    assert kept.bot_token == "xoxb-T0CONTOSO"
    before = file.stat().st_mtime_ns
    await alone.take_over()
    assert file.stat().st_mtime_ns == before, "nothing is written without a reason"


async def test_a_wrong_key_is_one_sentence_and_the_file_stays_as_it_is(file: Path) -> None:
    await opened(file, OLD).async_save(installation())
    before = file.read_bytes()
    with pytest.raises(
        Unreadable, match=r"can't be decrypted with slack\.oauth\.key \(env/KEY\): put the key"
    ) as wrong:
        opened(file, NEW, OTHER)
    assert NEW not in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert file.read_bytes() == before
    assert opened(file, OLD).find("T0CONTOSO") is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100])
async def test_a_file_that_is_no_file_of_ours_is_one_sentence(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(Unreadable, match="The file was left as it is"):
        opened(file, NEW)
    assert file.read_bytes() == content


async def test_a_file_that_was_changed_is_refused(file: Path) -> None:
    await opened(file, NEW).async_save(installation())
    raw = bytearray(file.read_bytes())
    raw[40] ^= 1
    file.write_bytes(bytes(raw))
    with pytest.raises(Unreadable):
        opened(file, NEW)


@pytest.mark.parametrize(
    "keys", ["", "  ", "hunter2", "xoxb-secret", NEW[:-2]], ids=["none", "blank", "a word", "a token", "one cut short"]
)
def test_what_is_no_key_is_one_sentence_that_says_how_to_make_one(file: Path, keys: str) -> None:
    with pytest.raises(Unreadable, match=r"slack\.oauth\.key \(env/KEY\) is no key: make one with python -c") as wrong:
        Installations(file, keys, "env/KEY")
    assert not keys.strip() or keys not in str(wrong.value)


@pytest.mark.parametrize(
    "whole", [installation(is_enterprise_install=True), installation(None)], ids=["organisation", "no workspace"]
)
async def test_an_install_for_a_whole_organisation_is_not_kept(file: Path, whole: Installation) -> None:
    installed = opened(file, NEW)
    with pytest.raises(ValueError, match="one workspace"):
        await installed.async_save(whole)
    assert installed.teams == frozenset()


async def test_a_write_that_fails_changes_nothing_and_leaves_nothing_lying_about(file: Path) -> None:
    installed = opened(file, NEW)
    await installed.async_save(installation())
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError, match="directory"):
        await installed.async_save(installation("T0FABRIKAM"))
    assert installed.teams == {"T0CONTOSO"}
    assert [one.name for one in file.parent.iterdir()] == [file.name]


async def test_what_another_process_wrote_until_the_file_became_ours_is_taken_over(file: Path) -> None:
    before = opened(file, NEW)
    await opened(file, NEW).async_save(installation())
    assert before.teams == frozenset()
    await before.take_over()
    assert before.teams == {"T0CONTOSO"}


async def test_changes_at_once_are_all_kept(file: Path) -> None:
    installed = opened(file, NEW)
    teams = {f"T0{number}" for number in range(20)}
    await asyncio.gather(*(installed.async_save(installation(team)) for team in teams))
    assert opened(file, NEW).teams == teams
    await installed.async_delete_bot(enterprise_id=None, team_id="T07")
    assert opened(file, NEW).teams == teams - {"T07"}


async def test_a_renewal_that_comes_late_does_not_undo_a_new_installation(file: Path) -> None:
    installed = opened(file, NEW)
    await installed.async_save(installation(bot_refresh_token="r1", bot_token_expires_in=60))
    old = installed.find("T0CONTOSO")
    assert old is not None
    await installed.async_save(installation(bot_token="xoxb-anew"))
    renewed = old.bot()
    renewed.bot_token = "xoxb-renewed"
    await installed.renewed(old, renewed)
    now = installed.find("T0CONTOSO")
    assert now is not None
    assert now.bot_token == "xoxb-anew"
    assert not await installed.remove("T0NOWHERE", 0)

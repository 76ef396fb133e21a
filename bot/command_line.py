"""`offboard status`, `approve` and `go`: asks the running service on this machine, signed with a person's key."""

from __future__ import annotations

import json
import os
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
from pydantic import JsonValue

from bot.cli_signature import NONCE, PATH, REFUSED, SHORTEST_KEY, SIGNATURE, TIMESTAMP, same, sign_answer, sign_request
from bot.settings import PREFIX, Environment, WrongSettings

PATIENCE = 60.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a service that listens everywhere is asked


@dataclass(frozen=True)
class Answer:
    """What the service said."""

    done: bool
    text: str


def read_key(file: Path | None) -> str:
    """The person's key. Raises WrongSettings with one sentence that never quotes it."""
    if file is None:
        raise WrongSettings(f"Whose command is it? Name the file with your key: --key-file FILE, or {PREFIX}KEY_FILE.")
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            key = opened.read().strip()
    except OSError as error:
        raise WrongSettings(f"The key file {file} can't be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise WrongSettings(f"The key file {file} is no text: a key is one line of characters.") from None
    if mode & stat.S_IRWXO:
        raise WrongSettings(f"The key file {file} is open to everybody on this machine: chmod 600 {file}.")
    if len(key) < SHORTEST_KEY:
        raise WrongSettings(f"The key in {file} has fewer than {SHORTEST_KEY} characters: make another.")
    return key


def ask(environment: Environment, key: str, asked: Mapping[str, str | Sequence[str]]) -> Answer:
    """One command, sent once. Raises WrongSettings with one sentence when nothing trustworthy answers."""
    host = _EVERYWHERE.get(environment.host, environment.host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{environment.port}"
    body = json.dumps(asked).encode()
    timestamp, nonce = str(int(time.time())), secrets.token_urlsafe(24)
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: sign_request(key, "POST", timestamp, nonce, body),
    }
    try:
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            answer = client.post(f"{address}{PATH}", content=body, headers=headers)
    except httpx.ConnectError:
        raise WrongSettings(
            f"The service is not running at {address}: start it with offboard run, or set {PREFIX}HOST and "
            f"{PREFIX}PORT as it has them."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WrongSettings(
            f"The service at {address} gave no answer ({type(error).__name__}): look with offboard status whether "
            "anything happened."
        ) from None
    if answer.status_code == 401:
        raise WrongSettings(REFUSED)
    signed = answer.headers.get(SIGNATURE, "")
    if answer.status_code != 200 or not same(signed, sign_answer(key, 200, nonce, answer.content)):
        raise WrongSettings(f"What answers at {address} is not our service: nothing it says is shown.")
    told = cast("dict[str, JsonValue]", json.loads(answer.content))
    return Answer(told["done"] is True, str(told["text"]))

"""How a command on the service's own machine proves whose it is: signed with a key that is never sent."""

from __future__ import annotations

import hashlib
import hmac
import re

PATH = "/cli"
TIMESTAMP, NONCE, SIGNATURE = "X-Offboard-Timestamp", "X-Offboard-Nonce", "X-Offboard-Signature"
WINDOW = 300
"""Seconds a request may be old, or ahead."""
SHORTEST_KEY = 32
"""Characters; a shorter key could be guessed from one request."""
WELL_FORMED = {TIMESTAMP: re.compile(r"[0-9]{1,12}"), NONCE: re.compile(r"[A-Za-z0-9_-]{16,64}")}
"""No line break fits, so that what is signed reads one way only."""
REFUSED = (
    "Refused. Use the key that clients.yml names for you, see that this machine's clock is right, and try again on the "
    "machine the service runs on."
)
"""What everybody reads whose request is not proved, whatever is wrong with it."""


def sign_request(key: str, method: str, timestamp: str, nonce: str, body: bytes) -> str:
    """What stands in the request's signature header."""
    return _sign(key, ("offboard request 1", method, PATH, timestamp, nonce), body)


def sign_answer(key: str, status: int, nonce: str, body: bytes) -> str:
    """The same for the answer: who does not know the key can't show a plan that is not one."""
    return _sign(key, ("offboard answer 1", str(status), nonce), body)


def same(one: str, other: str) -> bool:
    """Compare signatures in a time that tells nothing."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def _sign(key: str, words: tuple[str, ...], body: bytes) -> str:
    said = "\n".join(words).encode() + b"\n" + body
    return hmac.new(key.encode(), said, hashlib.sha256).hexdigest()

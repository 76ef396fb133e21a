"""Secret references: where a secret lies, never the secret itself. The one place that knows how they are written."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

KEY_VAULT = re.compile(r"keyvault/(?P<vault>[A-Za-z][A-Za-z0-9-]{2,23})/(?P<name>[A-Za-z0-9-]{1,127})")
"""Azure's own rules for names: nothing in them could lead a request to another host or path."""


class Unresolved(ValueError):
    """What a reference leads to can't be had: one sentence that names the reference and the fix, never a value."""


def check_reference(value: str) -> str:
    """'env/NAME', 'file/PATH' or 'keyvault/VAULT/NAME'. Raises ValueError that does not quote the value."""
    kind, slash, rest = value.partition("/")
    if kind == "keyvault":
        if not KEY_VAULT.fullmatch(value):
            raise ValueError(
                "write keyvault/VAULT/NAME: the vault's name and the secret's, letters, digits and hyphens"
            )
        return value
    if kind not in {"env", "file"} or not slash or not rest:
        raise ValueError(
            "write a reference such as env/NAME or file/PATH here (or keyvault/VAULT/NAME), never the secret itself"
        )
    return value


SecretReference = Annotated[str, AfterValidator(check_reference)]
"""A settings field that holds a reference."""

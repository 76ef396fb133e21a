"""Secret references: where a secret lies, never the secret itself. The one place that knows how they are written."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def check_reference(value: str) -> str:
    """A secret reference, 'env/NAME' or 'file/PATH'. Raises ValueError that does not quote the value."""
    kind, slash, rest = value.partition("/")
    if kind not in {"env", "file"} or not slash or not rest:
        raise ValueError("write a reference such as env/NAME or file/PATH here, never the secret itself")
    return value


SecretReference = Annotated[str, AfterValidator(check_reference)]
"""A settings field that holds a reference."""

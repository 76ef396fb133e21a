"""The list of connectors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.registry import MODULES, Registry
from tests.toy import Toy, ToyWorld


def test_known_ids_cost_no_import() -> None:
    code = (
        "import sys; from connectors.registry import Registry; r = Registry(); assert 'microsoft365' in r.ids;"
        "print([m for m in sys.modules if m.startswith(('connectors.microsoft365', 'msgraph', 'azure'))])"
    )
    assert _printed(code) == "[]"


def test_a_connector_is_loaded_without_its_sdk() -> None:
    code = (
        "import sys; from connectors.registry import Registry; Registry().get('microsoft365');"
        "print([m for m in sys.modules if m.startswith(('msgraph', 'azure', 'kiota'))])"
    )
    assert _printed(code) == "[]"


@pytest.mark.parametrize("connector_id", sorted(MODULES))
def test_every_listed_connector_is_there(connector_id: str) -> None:
    connector = Registry().get(connector_id)
    assert connector.id == connector_id
    for step in connector.steps:
        assert Registry().step(step.id) is step


def test_extra_connectors_stand_beside_the_listed() -> None:
    registry = Registry(extra=[Toy(ToyWorld())])
    assert set(registry.ids) == {*MODULES, "toy"}
    assert registry.get("toy").id == "toy"


def test_two_connectors_of_one_name_are_refused() -> None:
    toy = Toy(ToyWorld())
    with pytest.raises(ValueError, match="two connectors"):
        Registry(extra=[toy, toy])


@pytest.mark.parametrize("name", ["nothing.at_all", "microsoft365.no_such_step"])
def test_an_unknown_step_is_said_to_be_unknown(name: str) -> None:
    with pytest.raises(LookupError):
        Registry().step(name)


def _printed(code: str) -> str:
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return ran.stdout.strip()

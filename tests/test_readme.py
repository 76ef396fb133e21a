"""What the README says is so."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from handlers.cases.states import PLAN_MOVES, STEP_MOVES, PlanEvent, PlanState, StepEvent, StepState

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- states:begin -->", "<!-- states:end -->"


def drawn() -> str:
    """Both tables as diagrams, in the order they are written down."""
    return "\n\n".join((_diagram("A plan", PLAN_MOVES), _diagram("A step", STEP_MOVES)))


def _diagram(
    title: str, moves: dict[tuple[PlanState, PlanEvent], PlanState] | dict[tuple[StepState, StepEvent], StepState]
) -> str:
    lines = [f"**{title}**", "", "```mermaid", "stateDiagram-v2"]
    names = {str(state): f"s{place}" for place, state in enumerate(dict.fromkeys(key[0] for key in moves))}
    for target in moves.values():
        names.setdefault(str(target), f"s{len(names)}")
    lines += [f'    state "{state}" as {name}' for state, name in names.items()]
    lines += [
        f"    {names[str(state)]} --> {names[str(to)]}: {event}" for (state, event), to in moves.items() if state != to
    ]
    return "\n".join([*lines, "```"])


def test_the_states_are_drawn_from_the_table() -> None:
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    wanted = f"\n{drawn()}\n"
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(f"{before}{BEGIN}{wanted}{END}{after}")
        return
    assert inside == wanted, "run UPDATE_GOLDEN=1 pytest tests/test_readme.py"


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        named += extra
    named += project["dependency-groups"]["dev"]
    text = README.read_text()
    for requirement in named:
        name = requirement.split(">")[0].split("=")[0].split("[")[0]
        assert name in text, f"{name} has no line in the README"


def test_the_lock_is_hashed_and_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pins = [line for line in lock.splitlines() if "==" in line]
    assert len(pins) > 50
    assert lock.count("--hash=sha256:") >= len(pins)

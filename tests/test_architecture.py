"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "handlers", "connectors")
MAY_IMPORT = {
    "bot": {"bot", "handlers", "connectors"},
    "handlers": {"handlers", "connectors"},
    "connectors": {"connectors"},
}
ONLY_IN = {
    "slack_bolt": ("bot/slack/",),
    "slack_sdk": ("bot/slack/", "bot/lab/"),
    "botbuilder": ("bot/teams/",),
    "botframework": ("bot/teams/",),
    "msrest": ("bot/teams/",),
    "msal": ("bot/teams/",),
    "msgraph": ("connectors/microsoft365/client", "connectors/microsoft365/methods"),
    "kiota_abstractions": ("connectors/microsoft365/client", "connectors/microsoft365/methods"),
    "azure": ("connectors/entra.py", "bot/key_vault.py"),
    "ldap3": ("connectors/active_directory/",),
    "sqlmodel": ("handlers/",),
    "dbos": ("handlers/plan/queue.py",),
    "nicegui": ("bot/lab/",),
    "os.environ": ("bot/settings.py",),
}
SAYS_NOTHING = {"utils", "helpers", "common", "manager", "base", "misc"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_imports_run_from_bot_to_handlers_to_connectors() -> None:
    for path, tree in modules():
        ours = {name.split(".")[0] for name in imported(tree)} & {*PACKAGES, "tests"}
        assert ours <= MAY_IMPORT[path.parts[0]], f"{path} imports {ours}"


def test_each_platform_and_engine_stays_in_its_folder() -> None:
    for path, tree in modules():
        for name in imported(tree):
            top = name.split(".")[0]
            if top in ONLY_IN:
                assert str(path).startswith(ONLY_IN[top]), f"{path} imports {name}"


def test_only_the_settings_read_the_environment() -> None:
    for path, tree in modules():
        reads = any(isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} for node in ast.walk(tree))
        assert not reads or str(path) == "bot/settings.py" or str(path).startswith("bot/lab/"), path


def test_a_vendor_imports_the_shared_parts_and_no_other_vendor() -> None:
    shared = {
        "connectors.contract",
        "connectors.desk",
        "connectors.http",
        "connectors.entra",
        "connectors.entra_checks",
        "connectors.limiter",
        "connectors.money",
        "connectors.references",
        "connectors.simulated_faults",
        "connectors.together",
    }
    for path, tree in modules():
        if path.parts[0] == "connectors" and len(path.parts) == 3:
            own = f"connectors.{path.parts[1]}"
            for name in imported(tree):
                if name.startswith("connectors"):
                    assert name in shared or name.startswith(own), f"{path} imports {name}"


def test_simulators_are_for_the_lab_and_the_tests_alone() -> None:
    for path, tree in modules():
        for name in imported(tree):
            if name.startswith("connectors.simulated_faults") and "simulat" in path.name:
                continue  # what the stand-ins share
            if "simulat" in name:
                assert str(path).startswith("bot/lab/") or path.parts[:2] == tuple(name.split(".")[:2]), path


def test_importing_handlers_loads_no_vendor_sdk() -> None:
    sdks = ("msgraph", "slack_bolt", "botbuilder", "botframework", "azure.identity", "dbos", "ldap3")
    code = f"import sys, handlers.loops; print([name for name in {sdks} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_there_are_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path, tree in modules():
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        top_level = ast.Module([node for node in tree.body if not isinstance(node, ast.If)], [])
        known = set(imported(top_level))
        for node in ast.walk(top_level):
            if isinstance(node, ast.ImportFrom) and node.module:
                known |= {f"{node.module}.{alias.name}" for alias in node.names}
        graph[name] = {one for one in known if one.split(".")[0] in PACKAGES}
    graph = {name: {one for one in uses if one in graph and one != name} for name, uses in graph.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise AssertionError(" → ".join((*way, name)))
        if name not in done:
            for one in sorted(graph[name]):
                visit(one, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("path", [path for path, _ in modules()], ids=str)
def test_a_module_is_small_and_named_for_what_it_is(path: Path) -> None:
    lines = len((ROOT / path).read_text().splitlines())
    # The contract is mostly its promises in words, and is read as one page.
    limit = 600 if path.name == "contract.py" else 500 if "simulat" in path.name or "lab" in path.parts else 350
    assert lines <= limit, f"{path} has {lines} lines"
    assert path.stem not in SAYS_NOTHING

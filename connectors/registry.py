"""The list of all connectors, by id; one is loaded at first need, so that nothing drags every vendor's SDK in."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from connectors.contract import AnyConnector, AnyStep

MODULES: dict[str, str] = {
    "microsoft365": "connectors.microsoft365",
}
"""System id → the folder whose `CONNECTOR` it is."""


class Registry:
    """Finds connectors and steps by id. `extra` adds connectors that live elsewhere (tests' toys)."""

    def __init__(self, extra: Iterable[AnyConnector] = ()) -> None:
        self._loaded: dict[str, AnyConnector] = {connector.id: connector for connector in extra}

    def ids(self) -> list[str]:
        """Every system there is, loaded or not."""
        return [*self._loaded, *(name for name in MODULES if name not in self._loaded)]

    def get(self, system: str) -> AnyConnector:
        """That system's connector. Raises LookupError naming the known ones."""
        if system not in self._loaded:
            if system not in MODULES:
                raise LookupError(f"there is no system '{system}'; known are: {', '.join(sorted(self.ids()))}")
            self._loaded[system] = importlib.import_module(MODULES[system]).CONNECTOR
        return self._loaded[system]

    def find_step(self, step_id: str) -> AnyStep | None:
        """The step of that id, or None: plans outlive code."""
        system = step_id.partition(".")[0]
        if system not in self.ids():
            return None
        return next((step for step in self.get(system).steps if step.id == step_id), None)

    def step(self, step_id: str) -> AnyStep:
        """The step of that id. Raises LookupError."""
        step = self.find_step(step_id)
        if step is None:
            raise LookupError(f"there is no step '{step_id}' in this version; a newer or older one planned it")
        return step

"""The list of all connectors; each is imported at its first need, so knowing their names costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import cast

from connectors.contract import AnyConnector, AnyStep, Connector

MODULES: Mapping[str, str] = {
    "active_directory": "connectors.active_directory",
    "connectwise": "connectors.connectwise",
    "elsewhere": "connectors.elsewhere",
    "exchange": "connectors.exchange",
    "microsoft365": "connectors.microsoft365",
    "pax8": "connectors.pax8",
}
"""Connector id → the module whose CONNECTOR it is."""


EVERYWHERE = ("elsewhere",)
"""Systems every client has, with nothing to configure."""


class Registry:
    """All connectors of this process by id, and all their steps. `extra` adds ready-made ones."""

    def __init__(self, extra: Iterable[AnyConnector] = (), modules: Mapping[str, str] = MODULES) -> None:
        self._modules = dict(modules)
        self._loaded: dict[str, AnyConnector] = {}
        for connector in extra:
            if connector.id in self._modules or connector.id in self._loaded:
                raise ValueError(f"there are two connectors with the id {connector.id!r}")
            self._loaded[connector.id] = connector

    @property
    def ids(self) -> tuple[str, ...]:
        """Every known connector's id, sorted; imports nothing."""
        return tuple(sorted({*self._modules, *self._loaded}))

    def get(self, connector_id: str) -> AnyConnector:
        """The connector, imported now if need be. Raises LookupError for an unknown id."""
        if connector_id not in self._loaded:
            self._loaded[connector_id] = self._load(connector_id)
        return self._loaded[connector_id]

    def step(self, step_id: str) -> AnyStep:
        """The step with that id, 'microsoft365.block_sign_in'. Raises LookupError when there is none."""
        for step in self.get(step_id.partition(".")[0]).steps:
            if step.id == step_id:
                return step
        raise LookupError(f"no step is called {step_id!r}")

    def find_step(self, step_id: str) -> AnyStep | None:
        """The same, or None: rows outlive code, and some steps are the engine's own."""
        try:
            return self.step(step_id)
        except LookupError:
            return None

    def _load(self, connector_id: str) -> AnyConnector:
        module = self._modules.get(connector_id)
        if module is None:
            raise LookupError(f"no connector is called {connector_id!r}; known are {', '.join(self.ids)}")
        connector = getattr(importlib.import_module(module), "CONNECTOR", None)
        if not isinstance(connector, Connector) or connector.id != connector_id:
            raise LookupError(f"{module} has no CONNECTOR with the id {connector_id!r}")
        return cast("AnyConnector", connector)

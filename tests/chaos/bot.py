"""The real service with the help desk among its systems: the process that is killed."""

from __future__ import annotations

import logging
import os

from aiohttp import web

from bot.app import build
from bot.settings import load
from connectors.registry import Registry
from tests.chaos.helpdesk import HelpDesk


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    registry = Registry((HelpDesk(),))
    settings = load(os.environ, registry)
    web.run_app(
        build(settings, registry),
        host=settings.environment.host,
        port=settings.environment.port,
        print=None,
        access_log=None,
    )


if __name__ == "__main__":
    main()

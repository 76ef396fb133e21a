"""The command line: run the service, try the demo, start the lab, upgrade the database."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="offboard",
    help="The bot that ends a leaver's access, asked in Slack, approved by a technician, each step read back.\n\n"
    "New here? Run `offboard demo`: everything local, nothing to set up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
database = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(database, name="db")


@app.command()
def run() -> None:
    """Run the service, configured by clients.yml and OFFBOARD_… variables."""
    from bot.app import serve
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from handlers.plan.queue import Unusable

    _log()
    try:
        serve(load())
    except (Wrong, Unusable) as sentence:
        _stop(str(sentence))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the page to open.")] = 8765,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path(".demo"),
    *,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Try it: a simulated Microsoft tenant, a stand-in for Slack, the real bot, and a page to click."""
    from bot.lab.demo import serve

    serve(port, folder, open_page=open_page)


@app.command()
def lab(
    port: Annotated[int, typer.Option(help="Port of the lab's page.")] = 8765,
    folder: Annotated[Path, typer.Option(help="Where the lab writes clients.yml and its certificate.")] = Path(".demo"),
) -> None:
    """Start only the stand-ins (Slack, Microsoft), to point an `offboard run` of your own at."""
    from bot.lab.demo import serve_lab

    serve_lab(port, folder)


@database.command()
def upgrade() -> None:
    """Bring the database up to this version; `run` does it by itself."""
    from bot.app import SystemClock, prepare
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from handlers.plan.queue import DbosQueue, Unusable

    try:
        url = load().environment.database
        queue = DbosQueue(url, SystemClock().sleep)
        prepare(queue, url)
        queue.release()
    except (Wrong, Unusable) as sentence:
        _stop(str(sentence))
    typer.echo("The database is up to date.")


@database.command()
def check(
    expect: Annotated[str, typer.Option(help="The last hash of an earlier check: is it still there?")] = "",
) -> None:
    """Check that nobody changed, left out, put in or cut off anything of the history."""
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from handlers.cases.history import check_database

    try:
        found = check_database(load().environment.database, expect)
    except Wrong as sentence:
        _stop(str(sentence))
    if found.broken_at is not None:
        _stop(f"The history was tampered with at entry {found.broken_at}: keep this file and look into it.")
    if not found.has_expected:
        _stop("That hash is not in the history any more: its end was cut off, or the hash is another database's.")
    typer.echo(f"{found.entries} entries, each as it was written. Last hash, to keep elsewhere: {found.last}")


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore", "azure", "msal", "slack_bolt", "slack_sdk", "alembic", "dbos"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _stop(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def main() -> None:
    """The entry point `offboard`."""
    app()


if __name__ == "__main__":
    main()

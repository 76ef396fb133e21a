"""The command line: run the service, try the demo, start the lab, upgrade the database."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="offboard",
    help="Ends a leaver's access: asked in Slack or Teams, approved by a technician, each step read back.\n\n"
    "New here? Run `offboard demo`: everything local, nothing to set up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
database = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(database, name="db")
clients = typer.Typer(help="clients.yml.", no_args_is_help=True)
app.add_typer(clients, name="clients")
teams = typer.Typer(help="Microsoft Teams.", no_args_is_help=True)
app.add_typer(teams, name="teams")
KeyFile = Annotated[Path | None, typer.Option(help="The file with your key; or name it in OFFBOARD_KEY_FILE.")]


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
    """Try it: simulated Microsoft tenants, stand-ins for Slack and Teams, the real bot, and a page to click."""
    from bot.lab.demo import serve

    serve(port, folder, open_page=open_page)


@app.command()
def lab(
    port: Annotated[int, typer.Option(help="Port of the lab's page.")] = 8765,
    folder: Annotated[Path, typer.Option(help="Where the lab writes clients.yml and its certificate.")] = Path(".demo"),
) -> None:
    """Start only the stand-ins (Slack, Teams, Microsoft), to point an `offboard run` of your own at."""
    from bot.lab.demo import serve_lab

    serve_lab(port, folder)


@app.command()
def doctor(
    client: Annotated[str, typer.Option(help="Only that client's systems, by its id; the chats are left out.")] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One document: client, system, checks; the chats under '@chats'.")
    ] = False,
) -> None:
    """Would it work? Asks the chats and every client's systems; ends with 1 when something is to be mended."""
    from bot.doctor import in_json, in_words, look
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from connectors.registry import Registry

    registry = Registry()
    try:
        examined = look(load(registry=registry), client, registry)
    except Wrong as sentence:
        _stop(str(sentence))
    typer.echo(in_json(examined) if as_json else in_words(examined, registry))
    raise typer.Exit(1 if any(one.wrong for one in examined) else 0)


@clients.command("check")
def check_clients() -> None:
    """Look at clients.yml alone, asking nobody: keys, secrets, and whether people and clients fit."""
    from bot.clients_check import check as checked
    from bot.clients_check import in_words
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from connectors.registry import Registry

    registry = Registry()
    try:
        settings = load(registry=registry)
    except Wrong as sentence:
        _stop(str(sentence))
    found = checked(settings, registry)
    typer.echo(in_words(settings, found))
    raise typer.Exit(1 if any(one.wrong for one in found) else 0)


@teams.command("package")
def package_for_teams(
    website: Annotated[str, typer.Option(help="Your own website, https://…: administrators see it beside the app.")],
    out: Annotated[Path | None, typer.Option(help="Where to; offboard-teams.zip or offboard-teams-own.zip.")] = None,
    *,
    own: Annotated[bool, typer.Option("--own", help="For your own tenant: may stand in your private channel.")] = False,
) -> None:
    """Write the app package that is uploaded to Teams, for clients or with --own for yourselves."""
    from bot.settings import WrongSettings as Wrong
    from bot.settings import load
    from bot.teams.package import WrongPackage, package

    file = out or Path("offboard-teams-own.zip" if own else "offboard-teams.zip")
    try:
        settings = load()
        if settings.teams is None:
            _stop(f"{settings.environment.clients} has no teams block: add one, see docs/teams.md.")
        file.write_bytes(package(settings.teams.app_id, settings.roster.msp.name, website, own=own))
    except (Wrong, WrongPackage) as sentence:
        _stop(str(sentence))
    except OSError as error:
        _stop(f"{file} can't be written ({error.strerror}): name another file with --out.")
    typer.echo(f"{file} is ready to upload: {'your own tenant' if own else 'a client tenant'}, see docs/teams.md.")


@app.command()
def status(
    case: Annotated[str, typer.Argument(help="A case's number, or part of the leaver's name; none: every case.")] = "",
    key_file: KeyFile = None,
) -> None:
    """When chat is down: how far a case is. Asks the service that runs on this machine."""
    _ask(key_file, command="status", case=case)


@app.command()
def approve(
    case: Annotated[str, typer.Argument(help="The case's number.")],
    digest: Annotated[
        list[str] | None, typer.Option(help="The digest of a plan you were shown; once for each.")
    ] = None,
    proof: Annotated[list[str] | None, typer.Option(help="What a plan wants stated in writing; in order.")] = None,
    key_file: KeyFile = None,
) -> None:
    """When chat is down: without --digest, show all that waits; with it, approve exactly that."""
    _ask(key_file, command="approve", case=case, digests=[*(digest or ())], proofs=[*(proof or ())])


@app.command()
def go(
    case: Annotated[str, typer.Argument(help="The case's number.")],
    digest: Annotated[list[str] | None, typer.Option(help="The digest of the lock-out you were shown.")] = None,
    key_file: KeyFile = None,
) -> None:
    """When chat is down: without --digest, show the lock-out that waits for the go; with it, begin."""
    _ask(key_file, command="go", case=case, digests=[*(digest or ())])


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
def backup(file: Annotated[Path, typer.Argument(help="Where to; a file that is not there yet.")]) -> None:
    """Copy the database as it is now, while the service goes on, and check the copy's history."""
    from bot.settings import WrongSettings as Wrong
    from bot.settings import here
    from handlers.backup import NotCopied, back_up

    try:
        found = back_up(here().database, file)
    except (Wrong, NotCopied) as sentence:
        _stop(str(sentence))
    if found.broken_at is not None:
        _stop(f"{file} is written, but its history was tampered with at entry {found.broken_at}: keep both files.")
    typer.echo(f"{file}: {found.entries} entries of history, each as it was written. Last hash: {found.last}")


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


def _ask(key_file: Path | None, **asked: str | Sequence[str]) -> None:
    """Say what the service says; ends with 1 when it did not do what was asked, with 2 when it was not asked."""
    from bot.command_line import ask, read_key
    from bot.settings import WrongSettings as Wrong
    from bot.settings import here

    try:
        environment = here()
        answer = ask(environment, read_key(key_file or environment.key_file), asked)
    except Wrong as sentence:
        _stop(str(sentence))
    typer.echo(answer.text)
    raise typer.Exit(0 if answer.done else 1)


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

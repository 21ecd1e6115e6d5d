"""The command line: `python -m webapp` serves; the other commands look after an installation."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

try:
    gc.disable()  # while modules are loaded: nearly all of it stays, and each look through it takes longer
    from webapp import settings
except ValueError as error:  # a setting that can't be used: its sentence is enough
    sys.exit(str(error))

from webapp import __version__
from webapp.cli.listen import BACKLOG, listen, reachable
from webapp.core import data_folder
from webapp.core.faults import Faults, faults
from webapp.core.text import fold
from webapp.db import engine
from webapp.db import migrate as schema
from webapp.db.refusals import Shared, Stuck, TooNew


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a command's work with the database open; a problem becomes a sentence."""
    from webapp.core.errors import Forbidden, Invalid  # here, so that what needs no pages starts without them

    async def opened() -> Any:
        with faults.holding(Faults()):
            async with engine.connected():
                return await work

    try:
        return asyncio.run(opened())
    except (Forbidden, Invalid) as error:
        raise click.ClickException(str(error)) from None
    except engine.DOWN as error:
        raise _away(error) from None
    except OSError as error:
        raise click.ClickException(f"The system refuses it: {error}") from None


def _away(error: BaseException) -> click.ClickException:
    return click.ClickException(f"The database does not answer: {error}")


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="Parley")
@click.pass_context
def main(context: click.Context) -> None:
    """Parley, a chat server that renders HTML. Without a command: serve."""
    gc.enable()
    os.umask(0o077)
    if os.getpid() == 1:  # of a container: the kernel ends the first process of a machine only if it wants to end
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if context.invoked_subcommand is None:
        context.invoke(serve)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="The port to listen on.")
@click.option(
    "--workers", default=settings.WORKERS, show_default=True, type=click.IntRange(1), help="How many processes."
)
def serve(host: str, port: int, workers: int) -> None:
    """Bring the database up to date, and serve."""
    import uvicorn  # here, so that the other commands start without it
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from webapp.http import protocol

    gc.disable()  # until app.py is loaded as well
    if workers > 1 and settings.ON_SQLITE:
        raise click.ClickException("SQLite serves one process. Set DATABASE_URL to a PostgreSQL database for more.")
    if workers > 1 and not settings.REDIS_URL:
        raise click.ClickException("Several processes need Redis to hear of each other. Set REDIS_URL.")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a closed terminal, or of who turns logs over: no reason to end
    for warning in filter(None, [*settings.WARNINGS, protocol.problem()]):
        click.echo(warning, err=True)
    for place in _listen(host, port):  # before anything is touched, to learn whether it is possible
        place.close()
    applied = _migrate()
    _secret()
    if settings.ON_SQLITE and not data_folder.claim():
        raise click.ClickException(f"Another Parley serves the data in {settings.DATA_DIR}. Stop it, or set DATA_DIR.")
    files = settings.max_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    sockets = _listen(host, port)
    click.echo(_greeting(sockets, is_new="0001_initial" in applied))
    config = uvicorn.Config(
        "webapp.app:app",
        ws="none",
        http="httptools" if protocol.problem() else "webapp.http.protocol:BoundedProtocol",
        workers=workers,
        log_config=_logging(uvicorn.config.LOGGING_CONFIG),
        log_level="debug" if settings.DEBUG else "warning",
        access_log=settings.DEBUG,
        proxy_headers=False,  # ours, with TRUSTED_PROXIES
        server_header=False,
        timeout_graceful_shutdown=5,
        backlog=BACKLOG,
    )
    if workers > 1:
        config.load_app()  # what is wrong with it is said once, and not by each worker
        return Multiprocess(config, sockets).run()
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _logging(config: dict[str, Any]) -> dict[str, Any]:
    """uvicorn's, with ours beside it: when, how bad, who says so, and what."""
    line = {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    root = {"handlers": ["default"], "level": "DEBUG" if settings.DEBUG else "WARNING"}
    access = config["handlers"]["access"] | {"filters": ["without_tokens"]}
    return config | {
        "formatters": config["formatters"] | {"default": line},
        "filters": {"without_tokens": {"()": "webapp.http.security_log.WithoutTokens"}},
        "handlers": config["handlers"] | {"access": access},
        "root": root,
    }


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return listen(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"Parley can't listen on {host}, port {port}: {reason}. Choose others.") from None


def _secret() -> None:
    try:
        settings.secret_key()
    except (settings.InvalidSetting, OSError) as error:
        raise click.ClickException(f"There is no secret key to sign with: {error}") from None


def _greeting(sockets: list[socket.socket], is_new: bool) -> str:
    new = f"This is a new installation: there was no database in {settings.DATABASE_PLACE} yet.\n" if is_new else ""
    return (
        f"{settings.SITE_NAME} is at {reachable(sockets)}\n{new}"
        "Create an account there, then make a room. `python -m webapp createsuperuser` makes an administrator.\n"
        f"Data is kept in {settings.DATA_DIR}. Stop with Ctrl+C."
    )


def _migrate() -> list[str]:
    """Bring the database up to date, and close to others what is ours; return the migrations that were applied."""
    try:
        asyncio.run(engine.check_sessions())
        applied = asyncio.run(schema.migrate())
    except (Shared, TooNew, Stuck, data_folder.Unusable) as error:
        raise click.ClickException(str(error)) from None
    except engine.DOWN as error:
        raise _away(error) from None
    data_folder.close_to_others()
    return applied


@main.command()
def migrate() -> None:
    """Bring the database up to date."""
    _migrate()
    click.echo("The database is up to date.")


@main.command()
@click.option("--username", prompt="User name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
def createsuperuser(username: str, password: str) -> None:
    """Create an administrator, or make one of an existing account."""
    from webapp.accounts.administrators import make_admin, register_admin
    from webapp.accounts.models import User

    async def create() -> str:
        if user := await User.get_or_none(username=fold(username)):
            if not user.is_admin:
                await make_admin(user.id, None)
            return f"{user.username} is an administrator now. The password stays as it was."
        user = await register_admin(username, password)
        return f"{user.username} can sign in as an administrator."

    _migrate()
    click.echo(run(create()))


@main.command()
@click.argument("username", required=False)
@click.option("--remove", is_flag=True, help="Make them an administrator no longer.")
def admin(username: str | None, remove: bool) -> None:
    """Make USERNAME an administrator, or none with --remove; without a name, print who they are."""
    from webapp.accounts.administrators import make_admin, unmake_admin
    from webapp.accounts.models import User

    async def change(name: str) -> str:
        user = await User.get_or_none(username=fold(name))
        if user is None:
            raise click.ClickException(f"Nobody has the user name {name}.")
        await (unmake_admin if remove else make_admin)(user.id, None)
        return f"{user.username} is {'no' if remove else 'an'} administrator {'any more' if remove else 'now'}."

    async def listed() -> str:
        found = await User.filter(is_admin=True).order_by("username")
        return "\n".join(f"{user.username} ({user.display_name})" for user in found) or "There is no administrator."

    _migrate()
    click.echo(run(change(username) if username else listed()))


@main.command("reset-link")
@click.argument("username")
def reset_link(username: str) -> None:
    """Print a link that sets a new password for USERNAME, once, within a day."""
    import webapp.app  # noqa: F401  it names the addresses
    from webapp.accounts.models import User
    from webapp.accounts.reset import reset_path

    async def link() -> str:
        user = await User.get_or_none(username=fold(username))
        if user is None:
            raise click.ClickException(f"Nobody has the user name {username}.")
        return reset_path(user)

    _migrate()
    _secret()
    click.echo(f"Put the address of your server before it: {run(link())}")


@main.command()
@click.option("--users", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--rooms", default=10, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--messages", default=5_000, show_default=True, type=click.IntRange(0, 10_000_000))
def demo(users: int, rooms: int, messages: int) -> None:
    """Fill an empty installation with sample data."""
    from webapp.cli.demo.fill import fill

    _migrate()
    run(fill(users, rooms, messages))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def backup(file: Path) -> None:
    """Save database, pictures, files and secret in FILE, also while Parley serves."""
    from webapp.cli.backup import back_up

    for line in back_up(file):
        click.echo(line)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Also where there are people already; they are put aside.")
def restore(file: Path, force: bool) -> None:
    """Bring back what FILE holds, while Parley is stopped. On PostgreSQL: after pg_restore."""
    from webapp.cli import backup

    for line in backup.restore(file, force):
        click.echo(line)
    _migrate()
    if not settings.ON_SQLITE:
        run(backup.leap_on_postgresql())


@main.command()
def purge() -> None:
    """Forget what is due, as a server does every hour by itself."""

    _migrate()
    from webapp.media.files import file_store
    from webapp.ops.purge import purge_all
    from webapp.ops.stores import open_file_store

    with file_store.holding(open_file_store()):
        click.echo(run(purge_all()))


@main.command()
def reindex() -> None:
    """Build the index of search again, where `check` says so; on SQLite while Parley is stopped."""
    from webapp.messages import indexing

    _migrate()
    if settings.ON_SQLITE and not data_folder.claim():
        raise click.ClickException(f"Parley serves the data in {settings.DATA_DIR}. Stop it first.")
    run(indexing.rebuild())
    click.echo("The index is built. What has no words yet gets some while Parley serves.")


@main.command()
def check() -> None:
    """Look at settings, database, Redis and disk: a line each; exit 1 if something is wrong."""
    from webapp.cli.check import run_checks

    if not all(asyncio.run(run_checks())):
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m webapp")

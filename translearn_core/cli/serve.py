"""Commands that answer other programs: `serve`, `serve-key`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from translearn_core.cli.app import app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import print_line
from translearn_core.config import home
from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.service.keys import add_key
from translearn_core.service.request_bounds import Bounds

if TYPE_CHECKING:
    from translearn_core.service.models import Models


@app.command()
def serve(
    run_dirs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_DIR",
            help="Folders of runs, or links to them; NAME=RUN_DIR gives a name.",
        ),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address of this machine to answer on; 0.0.0.0 is all.")
    ] = "127.0.0.1",
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answer only who has a key of FILE, see `serve-key`."),
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Answer anybody who can reach it, without a key.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Let scripts of web pages from URL ask; may be repeated."),
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Most megabytes of a request.")] = (
        Bounds.body_bytes // 2**20
    ),
    max_photos: Annotated[int, typer.Option(min=1, help="Most photos of a request.")] = (
        Bounds.photos
    ),
) -> int:
    """Answer other programs over HTTP with trained models. Ends with Ctrl-C."""
    if keys is not None and is_open:
        raise SettingsError(_("`--keys` and `--open` exclude each other. Leave one out."))
    with kept(_("Nothing was served yet.")):
        from translearn_core.service.models import name_folders
        from translearn_core.service.serving import Door, is_here, serve

        if keys is None and not is_open and not is_here(host):
            raise SettingsError(
                _(
                    "Under {host} other machines could ask, too. Give their keys with `--keys FILE` "
                    "(made by `serve-key FILE NAME`), or say `--open` to answer anybody."
                ).format(host=host)
            )
        folders = name_folders(run_dirs, runs=home() / "runs")
        door = Door(
            host=host, port=port, keys=keys, is_open=is_open, origins=tuple(allow_origin or ())
        )
        bounds = Bounds(body_bytes=max_mb * 2**20, photos=max_photos)
        serve(folders, door, bounds, ready=_tell)
    return 0


def _tell(address: str, models: Models) -> None:
    for name in models.names:
        print_line(_("{name}: {address}").format(name=name, address=f"{address}/v1/models/{name}"))
        with models.use(name) as version:
            for notice in version.predictor.notices:
                typer.echo(notice, err=True)
    print_line(_("Ready. Try it on {address}").format(address=f"{address}/docs"))
    sys.stdout.flush()  # a program that starts the service waits for this line


@app.command("serve-key")
def serve_key(
    file: Annotated[Path, typer.Argument(help="The key file; made where there is none.")],
    name: Annotated[str, typer.Argument(help="Who the key is for.")],
) -> None:
    """Make a key for a client of `serve`, and print it. The file keeps only its hash."""
    print_line(add_key(file, name))

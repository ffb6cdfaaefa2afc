"""Commands that export and import models: `export`, `code`, `import-model`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from translearn_core.cli.app import JsonOption, app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import print_line
from translearn_core.i18n import _


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="See docs/exports.md.")],
    target: Annotated[
        Path, typer.Argument(metavar="DEST", help="A .zip file (html: .html) or a folder.")
    ],
    json_: JsonOption = False,
) -> int:
    """Export a model to a format, verify it against the app, and write the file."""
    with kept(lambda: _("Not written: {file}. The run stays as it is.").format(file=target)):
        from translearn_core.cli import export_work

        file, parity = export_work.write_export(run_dir, format_, target)
    return export_work.tell_export(file, parity, json_)


@app.command()
def code(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="A .py or .ipynb file to write.")],
) -> None:
    """Write a run as a short Keras program or notebook that trains the same without the app."""
    from translearn_core.export.keras_script import write_code
    from translearn_core.runs import Run

    for file in write_code(Run(run_dir), target):
        print_line(_("Written: {file}").format(file=file))


@app.command(name="import-model")
def import_model(
    source: Annotated[Path, typer.Argument(help="A .keras file, or a zip that TransLearn made.")],
    classes: Annotated[
        str, typer.Option(help="Class names in the order of the outputs, separated by commas.")
    ] = "",
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    image_size: Annotated[
        int, typer.Option(help="Side of the input in pixels, where the model takes any.")
    ] = 0,
    pixels: Annotated[
        str, typer.Option(help="What the model expects for a pixel: 0..255, 0..1 or -1..1.")
    ] = "0..255",
    fit: Annotated[
        str, typer.Option(help="How photos that are not square become so: stretch, crop or pad.")
    ] = "",
    json_: JsonOption = False,
) -> None:
    """Import a model from elsewhere as a run that can predict photos."""
    with kept(_("No model was imported.")):
        from translearn_core.cli import export_work
    export_work.import_model(
        source,
        classes=classes,
        name=name,
        image_size=image_size,
        pixels=pixels,
        fit=fit,
        json_=json_,
    )

"""Commands that export and import models: `export`, `code`, `import-model`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from translearn_core.atomic import replace_file
from translearn_core.cli.app import JsonOption, app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import Bar, cannot_write, output_to, print_json, print_line
from translearn_core.errors import InputError
from translearn_core.i18n import _
from translearn_core.monitor import Monitor


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
        from translearn_core.export import formats as exports
        from translearn_core.export.make import make_export
        from translearn_core.runs import Run

        run, row = Run(run_dir), exports.get_format(format_)
        exports.check_model(run)
        if target.is_dir() or not target.suffix:
            target = target / exports.file_name(run, row)
        job = exports.job_of(run, row)
        job.folder.mkdir(parents=True, exist_ok=True)
        with output_to(job.log_path), Bar() as bar:
            parity = make_export(run, row, _ExportMonitor(bar))
        _copy_export(exports.zip_path(run, row), target)
    if json_:
        print_json({"file": str(target)} | parity.model_dump(exclude={"stamp"}))
    else:
        print_line(exports.sentence_of(parity))
        print_line(_("Written: {file}").format(file=target))
    return 0 if parity.within else 1


class _ExportMonitor(Monitor):
    """Shows the steps of an export on a bar."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def stage(self, name: str) -> None:
        """See `Monitor.stage`."""
        self._bar.show(name, None, always=True)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """See `Monitor.progress`."""
        text = _("Photo {done} of {total}").format(done=done, total=total)
        self._bar.show(text, done / max(total, 1))


def _copy_export(source: Path, target: Path) -> None:
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, half)
            replace_file(half, target)
        finally:
            half.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error


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
        from translearn_core.imaging.square import FITS
        from translearn_core.model_import.adopt import PIXELS, adopt_model
    chosen = next((known for known in PIXELS if known == pixels), None)
    if chosen is None:
        raise InputError(
            _("`--pixels` must be {allowed}. Received: {received}.").format(
                allowed=_(" or ").join(f"`{known}`" for known in PIXELS), received=pixels
            )
        )
    chosen_fit = next((known for known in FITS if known == fit), None)
    if fit and chosen_fit is None:
        raise InputError(
            _("`--fit` must be {allowed}. Received: {received}.").format(
                allowed=_(" or ").join(f"`{known}`" for known in FITS), received=fit
            )
        )
    with kept(_("No model was imported, and nothing was kept of it here.")), Bar() as bar:
        run = adopt_model(
            source,
            classes=[part for part in classes.split(",") if part.strip()] or None,
            name=name,
            image_size=image_size,
            pixels=chosen,
            fit=chosen_fit,
            tell=lambda words: bar.show(words, None, always=True),
        )
    if json_:
        print_json({"run_dir": str(run.folder), "classes": run.labels})
    else:
        print_line(_("The run is at {folder}").format(folder=run.folder))

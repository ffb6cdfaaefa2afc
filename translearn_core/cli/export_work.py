"""What the commands `export` and `import-model` do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from translearn_core.atomic import replace_file
from translearn_core.cli.bar import Bar
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import cannot_write, output_to, print_json, print_line
from translearn_core.errors import InputError
from translearn_core.export import formats as exports
from translearn_core.export.make import make_export
from translearn_core.i18n import _
from translearn_core.imaging.square import FITS
from translearn_core.model_import.adopt import PIXELS, adopt_model
from translearn_core.monitor import Monitor
from translearn_core.runs import Run


def write_export(run_dir: Path, format_: str, target: Path) -> tuple[Path, exports.Parity]:
    """Export a run, verify it, and write the file; the file, and how far its answers agree."""
    run, row = Run(run_dir), exports.get_format(format_)
    exports.check_model(run)
    if target.is_dir() or not target.suffix:
        target = target / exports.file_name(run, row)
    job = exports.job_of(run, row)
    job.folder.mkdir(parents=True, exist_ok=True)
    with output_to(job.log_path), Bar() as bar:
        parity = make_export(run, row, _ExportMonitor(bar))
    _copy_export(exports.zip_path(run, row), target)
    return target, parity


def tell_export(file: Path, parity: exports.Parity, json_: bool) -> int:
    """Print how an export ended; the exit code."""
    if json_:
        print_json({"file": str(file)} | parity.model_dump(exclude={"stamp"}))
    else:
        print_line(exports.sentence_of(parity))
        print_line(_("Written: {file}").format(file=file))
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


def import_model(
    source: Path,
    *,
    classes: str,
    name: str,
    image_size: int,
    pixels: str,
    fit: str,
    json_: bool,
) -> None:
    """Import a model as a run, with a bar, and print where that is.

    Raises:
        InputError: a choice is not one of those that are allowed, or the model is refused.
    """
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

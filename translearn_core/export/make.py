"""Makes an export: the model, its program, the verification, the zip.

Owns: the order of these steps and the files that are kept.
Leaves to others: the steps (`writers.py`, `program.py`, `verify.py`). Errors carry a sentence for a
person; temporary files are removed.
"""

from __future__ import annotations

import importlib.metadata
import logging
import math
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from translearn_core.atomic import replace_file, write_atomically
from translearn_core.errors import InputError, StopRequestedError, StorageError, TransLearnError
from translearn_core.export import formats, program, reading, verify
from translearn_core.export.formats import Format, Parity
from translearn_core.export.writers import ExportSource
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs import Run
from translearn_core.runs.model_files import KERAS, TASKS, require_whole

logger = logging.getLogger(__name__)


def make_export(
    run: Run, row: Format, monitor: Monitor | None = None, *, photos: int = verify.PHOTOS
) -> Parity:
    """Make an export of a run, unless a finished one is there already.

    Args:
        monitor: receives the steps as stages, and the progress of the verification in photos.
        photos: number of photos of the verification, generated ones included.

    Returns:
        The result of the verification. The zip is at `formats.zip_path(run, row)`.

    Raises:
        RunError: the run has no model.
        InputError: it cannot be exported to this format.
        StopRequestedError: the monitor requested it.
        StorageError: the disk is full.
        TransLearnError: the conversion failed, or its program does not run.
    """
    monitor = monitor or Monitor()
    formats.check_model(run)
    done = formats.read(run, row)
    if done is not None:
        return done
    reason = formats.obstacle(run, row)
    if reason:
        raise InputError(reason)
    require_whole(run, KERAS, TASKS)
    job_folder = formats.job_of(run, row).folder
    with _disk_errors(job_folder):
        job_folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=formats.HALF_MADE, dir=job_folder))
        try:
            return _make(run, row, monitor, work, photos)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _make(run: Run, row: Format, monitor: Monitor, work: Path, n_photos: int) -> Parity:
    stamp = formats.stamp_of(run)
    folder = work / formats.folder_name(run, row)
    folder.mkdir()
    monitor.stage(_("Writing the model as {format}").format(format=row.title))
    _write_texts(run, row, folder)
    _write_model(run, row, folder)
    monitor.check_stop()

    monitor.stage(_("Asking the app about {n} photos").format(n=n_photos))
    photos = verify.gather_photos(run, work / "photos", most=n_photos)
    app = verify.predict_with_app(run, photos)
    monitor.check_stop()

    monitor.stage(_("Asking the exported model about the same photos"))
    probabilities = row.run(
        folder, work / "photos", formats.job_of(run, row).log_path, monitor.progress
    )
    difference = verify.compare(app, probabilities, verify.tasks_in(folder))
    parity = _parity(row, folder, difference, stamp)
    if row.crops and run.read_labels().fit != "crop":
        log, progress = formats.job_of(run, row).log_path, monitor.progress
        middle = verify.run_teachable(folder, work / "photos", log, progress, fit="crop")
        changes = verify.compare(app, middle, verify.tasks_in(folder)).changes
        parity = parity.model_copy(update={"cropped_changes": len(changes)})
    _write_parity(run, row, folder, parity)
    monitor.check_stop()

    monitor.stage(_("Packing"))
    file = folder / row.model if row.suffix == ".html" else _pack(work, folder, row)
    parity = parity.model_copy(update={"zip_bytes": file.stat().st_size})
    replace_file(file, formats.zip_path(run, row))
    path = formats.folder_of(run) / f"{row.name}.json"
    write_atomically(path, parity.model_dump_json(indent=1))
    logger.info("%s", formats.sentence_of(parity))
    return parity


def _write_model(run: Run, row: Format, folder: Path) -> None:
    try:
        row.write(ExportSource(run), folder / row.model)
    except (TransLearnError, StopRequestedError, OSError, MemoryError):
        raise
    except Exception as error:  # converters raise any type
        logger.exception("The conversion to %s failed", row.name)
        raise TransLearnError(
            _(
                "This model cannot be written as {format}: the converter refused it. The log of "
                "this export has the details. Take another format."
            ).format(format=row.title)
        ) from error


def _write_texts(run: Run, row: Format, folder: Path) -> None:
    (folder / "labels.json").write_text(program.labels_json(run), encoding="utf-8")
    if row.program:
        (folder / "classify.py").write_text(program.program(row), encoding="utf-8")
        (folder / "prepare.py").write_text(reading.prepare_py(), encoding="utf-8")
        for name, text in reading.reading_files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "csv_tables.py").write_text(program.csv_tables_py(), encoding="utf-8")


def _parity(row: Format, folder: Path, difference: verify.Difference, stamp: str) -> Parity:
    bars = row.bars
    allowed = math.ceil((1 - bars.agreement) * difference.photos)
    return Parity(
        format=row.name,
        runtime=runtime_of(row),
        photos=difference.photos,
        kinds=difference.kinds,
        max_difference=difference.largest,
        label_changes=len(difference.changes),
        changed=difference.changes,
        difference_bar=bars.difference,
        agreement_bar=bars.agreement,
        within=difference.largest <= bars.difference and len(difference.changes) <= allowed,
        model_bytes=_bytes_of(folder, row),
        created=time.time(),
        stamp=stamp,
    )


def runtime_of(row: Format) -> str:
    """The runtime of the exported model on this machine, with its version."""
    if row.run in (verify.run_page, verify.run_one_file) and verify.node_path():
        return "network.js, Node"
    return f"{row.needs} {importlib.metadata.version(row.needs)}"


def _bytes_of(folder: Path, row: Format) -> int:
    """Size of the model in an export's folder; some have a file of weights beside it."""
    path = folder / row.model
    weights = [folder / name for name, _words in row.extra_files if name.endswith(".bin")]
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in [*folder.glob(f"{path.stem}.*"), *weights])


def _write_parity(run: Run, row: Format, folder: Path, parity: Parity) -> None:
    (folder / "parity.json").write_text(
        parity.model_dump_json(indent=1, exclude={"stamp", "zip_bytes"}), encoding="utf-8"
    )
    text = program.readme(run, row, parity=formats.sentence_of(parity))
    (folder / "README.txt").write_text(text, encoding="utf-8")


def _pack(work: Path, folder: Path, row: Format) -> Path:
    zip_file = work / "packed.zip"
    with zipfile.ZipFile(zip_file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(work if row.folder_in_zip else folder))
    return zip_file


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logger.exception("The export cannot be kept")
        raise StorageError(
            _("The export cannot be kept in {folder}: {cause}. Make room and try again.").format(
                folder=folder, cause=error.strerror or error
            )
        ) from error

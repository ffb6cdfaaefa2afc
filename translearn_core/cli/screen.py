"""Output of the commands: progress on stderr, results on stdout, the core's log in a file.

Owns: `Bar`, printing lines and JSON, the log file of a command.
Leaves to others: the content (the commands).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from translearn_core.cli.interrupt import kept
from translearn_core.csv_tables import valid_text
from translearn_core.errors import InputError, SettingsError, SourceError
from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext
from translearn_core.monitor import Monitor

if TYPE_CHECKING:
    from rich.progress import Progress

    from translearn_core.cli.choices import ImportOptions
    from translearn_core.datasets import Dataset

EVERY_S = 2.0
"""Least seconds between two lines of progress where stderr is not a terminal."""


class Bar:
    """Progress on stderr: a bar on a terminal (rich), else a line every few seconds."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(file=sys.stderr, highlight=False)
        self._terminal = sys.stderr.isatty() and not self._console.is_dumb_terminal
        self._last_line_s = time.monotonic()
        self._progress: Progress | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def show(self, text: str, share: float | None, *, always: bool = False) -> None:
        """Show a text and the share that is done, in [0, 1]; None where it is unknown."""
        if self._terminal:
            total, done = (None, 0) if share is None else (100, round(100 * share))
            if self._progress is None:
                self._progress = self._new_progress()
                self._progress.add_task(text, total=total, completed=done)
                self._progress.start()
            else:
                task = self._progress.task_ids[0]
                self._progress.update(
                    task, description=text, total=total, completed=done, refresh=always
                )
            return
        now = time.monotonic()
        if always or now - self._last_line_s >= EVERY_S:
            self._last_line_s = now
            sys.stderr.write(text + "\n")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        line = _("Note: {text}").format(text=text)
        if self._terminal:
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def _new_progress(self) -> Progress:
        from rich.progress import BarColumn, Progress, TextColumn

        return Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show_progress(self, progress: Any) -> None:
        """Show the progress of an import."""
        share = progress.done / progress.total if progress.total else None
        count = (
            f"{progress.done:,} / {progress.total:,}" if progress.total else f"{progress.done:,}"
        )
        self.show(f"{progress.what} {count}", share)

    def follow(self, run: Any, ended: threading.Event) -> None:
        """Show a run's events as they are written, until `ended` is set."""
        offset = 0
        while True:
            is_last = ended.is_set()
            events, offset = run.events(offset)
            for event in events:
                self._show_event(event)
            if is_last:
                return
            ended.wait(0.1)

    def _show_event(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "progress":
            if event["stage"] == "refit":
                text = _("Once more, with the validation photos · epoch {done:,} of {total:,}")
            elif event.get("what") == "rounds":
                text = _("Adapting to the new domain · epoch {done:,} of {total:,}")
            else:
                text = _("Photo {done:,} of {total:,} · {per_s:.0f}/s · {left:.0f} s left")
            self.show(
                text.format(
                    done=event["done"],
                    total=event["total"],
                    per_s=event["per_s"],
                    left=event["left_s"],
                ),
                event["done"] / max(event["total"], 1),
            )
        elif kind == "epoch":
            accuracy = (
                event["val_accuracy"] if event["val_accuracy"] is not None else event["accuracy"]
            )
            text = _("Epoch {epoch} of {epochs} · accuracy {accuracy} · loss {loss:.3f}")
            self.show(
                text.format(
                    epoch=event["epoch"],
                    epochs=event["epochs"],
                    accuracy=percent(accuracy or 0.0, 1),
                    loss=event["loss"] or 0.0,
                ),
                event["epoch"] / event["epochs"],
            )
        elif kind == "trial":
            text = _("Trial {n}: {share} in cross-validation")
            share = _("pruned") if event["given_up"] else percent(event["accuracy"], 1)
            self.show(text.format(n=event["number"], share=share), None, always=True)
        elif kind == "warning":
            self.note(event["text"])


def import_photos(
    source: str,
    *,
    test_source: Path | None,
    options: ImportOptions,
    tasks: Path | None = None,
) -> Dataset:
    """Make a data set of a folder, used where it is, of an archive or of a manifest, with a bar.

    Args:
        source: a path, or the address of a manifest.
        options: a table of labels, and choices.
        tasks: a table of which all columns are learned, in place of the one of `options`.

    Raises:
        SourceError: as `datasets.import_source` and `import_with_table`.
    """
    with kept(_("Nothing was kept: the photos were still being read. They stay as they are.")):
        return _import_photos(source, test_source=test_source, options=options, tasks=tasks)


def _import_photos(
    given: str, *, test_source: Path | None, options: ImportOptions, tasks: Path | None
) -> Dataset:
    from translearn_core.cli.choices import with_option
    from translearn_core.datasets.photo_manifest import is_manifest

    table = tasks or options.labels
    if is_manifest(given):
        beside = table or test_source
        if beside is not None:
            raise SettingsError(
                _(
                    "{manifest} gives the photos their labels and their split itself, so {file} "
                    "cannot be given beside it. Put all into one table."
                ).format(manifest=given, file=beside)
            )
        with Bar() as bar:
            dataset = import_of_manifest(given, options, check=False, bar=bar)
            for text in _left_out_classes(dataset):
                bar.note(text)
            _tell_groups(dataset, bar)
        return dataset
    source = local_source(given)
    if table is not None:
        return import_with_table(
            source, table, options=options, test_source=test_source, several=tasks is not None
        )
    with Bar() as bar:
        dataset = import_folders(source, options, test_source=test_source, check=False, bar=bar)
        said = [*dataset.record.notices, *map(with_option, dataset.record.questions)]
        for text in (*said, *_left_out_classes(dataset)):
            bar.note(text)
        _tell_groups(dataset, bar)
    return dataset


def local_source(source: str) -> Path:
    """The path of a folder or an archive.

    Raises:
        SourceError: it is an address.
    """
    from translearn_core.imaging.remote import is_address

    if is_address(source):
        raise SourceError(
            _(
                "{address} is no manifest. Photos at addresses are named by a table: a CSV or Parquet "
                "file with a path or an address and a label for each photo."
            ).format(address=source)
        )
    return Path(source)


def import_of_manifest(source: str, options: ImportOptions, *, check: bool, bar: Bar) -> Dataset:
    """Make a data set of a manifest, with notes on what was read unless it is only checked.

    Raises:
        SourceError: as `photo_manifest.import_manifest`.
        SettingsError: the photos have no such groups.
    """
    from translearn_core.cli.choices import with_option
    from translearn_core.datasets.photo_manifest import import_manifest

    result = import_manifest(
        source,
        main=options.main,
        file_column=options.file_column,
        one_hot=options.one_hot,
        group_by=options.group_by,
        choices=options.choices,
        check=check,
        progress=bar.show_progress,
    )
    said = [*result.notes, *map(with_option, result.questions)]
    for sentence in (result.summary, *(() if check else said)):
        bar.note(sentence)
    return result.dataset


def import_folders(
    source: Path,
    options: ImportOptions,
    *,
    test_source: Path | None = None,
    check: bool,
    bar: Bar,
) -> Dataset:
    """Make a data set of a folder, used where it is, or of an archive, whose folders are the classes,
    with its groups.

    Raises:
        SourceError: as `datasets.import_source`.
        SettingsError: the photos have no such groups.
    """
    from translearn_core import datasets

    by = datasets.as_folders(options.group_by) if options.group_by else ""
    choices = options.choices
    chosen_rule = choices.classes if choices is not None else ""

    def read(rule: str) -> Dataset:
        given = choices
        if rule != chosen_rule:
            given = replace(choices or datasets.ImportChoices(), classes=rule)
        return datasets.import_source(
            source,
            test_source=test_source,
            in_place=source.is_dir(),
            check=check,
            choices=given,
            progress=bar.show_progress,
        )

    dataset = read(chosen_rule or datasets.class_rule(by))
    if by and not chosen_rule and datasets.names_class_folders(dataset, by):
        dataset = read("outer")
    if by:
        datasets.group_by_folders(dataset, by)
    return dataset


def _tell_groups(dataset: Dataset, bar: Bar) -> None:
    """Note what keeps photos together, if anything does."""
    from translearn_core import datasets

    names = datasets.named_groups(dataset)
    if names is not None:
        n = len(set(names) - {""})
        bar.note(
            ngettext(
                "Photos that belong together by {by}: {n} group. No split tears it apart.",
                "Photos that belong together by {by}: {n} groups. No split tears one apart.",
                n,
            ).format(by=dataset.record.grouped_by, n=n)
        )


def _left_out_classes(dataset: Dataset) -> list[str]:
    """What came to nothing of the folders of classes."""
    from translearn_core.datasets import CHECKS

    check = next(check for check in CHECKS if check.name == "lost_class")
    return [one.note for one in check.find(dataset)] if check.find is not None else []


def import_with_table(
    source: Path,
    table: Path,
    *,
    options: ImportOptions,
    test_source: Path | None = None,
    several: bool = False,
    check: bool = False,
    say_notes: bool = True,
) -> Dataset:
    """Make a data set of photos and a table of labels, with a bar and a note on what was read.

    Args:
        several, check: as for `label_table.import_labelled`.
        say_notes: False where the caller shows the notes that are kept with the data set.

    Raises:
        SourceError: as `table_reading.read_table` and `label_table.import_labelled`.
        SettingsError: the photos have no such groups.
    """
    from translearn_core import datasets
    from translearn_core.cli.choices import with_option
    from translearn_core.datasets import label_table, table_reading

    by = options.group_by
    read = table_reading.read_table(
        table,
        main=options.main,
        file_column=options.file_column,
        one_hot=options.one_hot,
        group_by=by,
    )
    with Bar() as bar:
        result = label_table.import_labelled(
            source,
            read,
            several=several,
            test_source=test_source,
            choices=options.choices,
            check=check,
            key=str(table.resolve()),
            progress=bar.show_progress,
        )
        said = [*result.notes, *map(with_option, result.questions)]
        for sentence in (result.summary, *(said if say_notes else ())):
            bar.note(sentence)
        if by and not read.groups:
            datasets.group_by_folders(result.dataset, datasets.as_folders(by))
        _tell_groups(result.dataset, bar)
    return result.dataset


class BarMonitor(Monitor):
    """Shows stages and progress on a bar.

    Args:
        stages: name -> what a person reads, not translated yet.
    """

    def __init__(self, bar: Bar, stages: Mapping[str, str]) -> None:
        self._bar, self._stages = bar, stages

    def stage(self, name: str) -> None:
        """See `Monitor.stage`."""
        self._bar.show(_(self._stages[name]), None, always=True)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """See `Monitor.progress`."""
        text = _("Looking at photo {done:,} of {total:,} · {per_s:.0f}/s")
        text = text.format(done=done, total=total, per_s=per_s)
        self._bar.show(text, done / max(total, 1))


def print_json(content: Any, *, indent: int | None = 1) -> None:
    """Print JSON; what is not UTF-8 in a file name stands as `\\xe9` in its text."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    sys.stdout.write(valid_text(text, backslash="\\\\") + "\n")


def print_line(line: str) -> None:
    sys.stdout.write(valid_text(line) + "\n")


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send the core's log, and what native libraries write to stderr, to the run's own file.

    What this process itself writes to `sys.stderr` still reaches the terminal.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("translearn_core")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    terminal = sys.stderr
    terminal.flush()
    stderr_copy = os.dup(2)
    sys.stderr = os.fdopen(stderr_copy, "w", encoding=terminal.encoding, buffering=1, closefd=False)
    log = path.open("ab")
    os.dup2(log.fileno(), 2)
    log.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)
        sys.stderr = terminal
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def cannot_write(file: Path, error: OSError) -> InputError:
    return InputError(
        _("{file} cannot be written: {cause}. Name another file.").format(
            file=file, cause=error.strerror
        )
    )

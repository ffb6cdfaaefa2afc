"""What the command `train` does, and `tune` for a search: the work itself, with a bar, and its end.

Owns: working here or on the cluster, what an interrupt does to a run, printing how a run ended.
Leaves to others: training (`training/train.py`), the commands (`train.py`, `search.py`).
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from translearn_core import jobs, runs, worker
from translearn_core.cli.bar import Bar
from translearn_core.cli.choices import ImportOptions
from translearn_core.cli.importing import import_photos
from translearn_core.cli.interrupt import Interrupted, kept
from translearn_core.cli.screen import output_to, print_json, print_line
from translearn_core.cli.weights import have_weights
from translearn_core.errors import TransLearnError
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import _
from translearn_core.imaging import decoder_process
from translearn_core.jobs.queue import sharing_order
from translearn_core.recipe.resolve import resolve
from translearn_core.reports import result_text, techniques_text
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.run_metrics import RunMetrics

FOLLOW_S = 0.5
"""A run that another machine does is looked at so often."""


def make_run(
    source: str,
    settings: Settings,
    *,
    test_source: Path | None,
    options: ImportOptions,
    tasks: Path | None,
    folder: Path | None,
) -> Run:
    """A run of labelled photos, which has not begun, with the weights that it needs."""
    resolved = resolve(settings)
    if folder is not None:
        runs.check_free(folder)
    have_weights(resolved)
    began = time.monotonic()
    dataset = import_photos(source, test_source=test_source, options=options, tasks=tasks)
    import_s = time.monotonic() - began
    return jobs.make_run(dataset, settings, folder=folder, import_s=import_s)


def work(run: Any) -> bool:
    """Train, on the cluster where one is named; see `work_here`. A run in a folder of its own stays on
    this machine: only what lies in the workspace is placed."""
    is_placed = isinstance(jobs.current_runner(), jobs.ClusterRunner)
    if is_placed and len(sharing_order(run.folder.parent)) > 1:
        return work_there(run)
    return work_here(run)


def work_there(run: Any) -> bool:
    """Hand a run over and follow it with a bar until it has ended; one interrupt stops it and keeps the
    weights, a second ends it at once.

    Returns:
        Whether it was interrupted.
    """
    ended = threading.Event()
    decoder_process.end_waiting()
    jobs.submit(run)
    with Bar() as bar:
        watcher = threading.Thread(target=bar.follow, args=(run, ended), daemon=True)
        watcher.start()
        try:
            with _interrupt_stops(run) as interrupted:
                while (state := jobs.follow(run)) is not None and state.is_live:
                    time.sleep(FOLLOW_S)
        except KeyboardInterrupt:
            jobs.force_stop(run)
        finally:
            ended.set()
            watcher.join()
    return interrupted.is_set()


def work_here(run: Any) -> bool:
    """Train in this process with a bar; one interrupt stops and keeps the weights, a second ends.

    Returns:
        Whether it was interrupted.
    """
    ended = threading.Event()
    settings_kept = _("Kept: its settings, in {folder}. Not kept: what was learned.")
    with (
        kept(settings_kept.format(folder=run.folder)),
        output_to(run.folder / "log.txt"),
        Bar() as bar,
    ):
        watcher = threading.Thread(target=bar.follow, args=(run, ended), daemon=True)
        watcher.start()
        try:
            with _interrupt_stops(run) as interrupted:
                worker.work(run)
        finally:
            ended.set()
            watcher.join()
    return interrupted.is_set()


@contextmanager
def _interrupt_stops(run: Any) -> Iterator[threading.Event]:
    """The first Ctrl-C requests a stop that keeps the best weights; the second ends the work.

    Yields what is set at the first one.
    """
    interrupted = threading.Event()

    def ask(_number: int, _frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        run.request_stop()
        told = _("Stopping; what was learned is kept. Press Ctrl-C again to end at once.")
        sys.stderr.write(f"\n{told}\n")

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def report_run(run: Any, json_: bool, interrupted: bool) -> int:
    """Print how the run ended; the exit code.

    Raises:
        Interrupted: it was interrupted; what there is was printed.
    """
    state = run.state
    if state.has_failed:
        raise TransLearnError(state.reason)
    if not run.has_result:
        if interrupted:
            raise Interrupted(
                _(
                    "Kept: the settings of the run, in {folder}. Not kept: what was learned; "
                    "there is no model yet."
                ).format(folder=run.folder)
            )
        raise TransLearnError(
            _("Stopped before training began. The run is at {folder}.").format(folder=run.folder)
        )
    metrics = run.metrics
    if json_:
        print_json(metrics.as_dict(), indent=None)
    else:
        _print_result(metrics, run.config.settings)
    if interrupted:
        raise Interrupted(
            _(
                "Kept: the model with its best weights so far, measured as above, in {folder}. Not "
                "done: the epochs that were left."
            ).format(folder=run.folder)
        )
    return 0 if state.state in ("finished", "stopped") else 1


def _print_result(metrics: RunMetrics, settings: Settings) -> None:
    low, high = metrics.test_interval
    gap = run_caveats.gap_of(metrics)
    if gap:
        print_line(gap)
    if not metrics.n_test:
        print_line(_("No photos were left for a test."))
    elif metrics.tested_elsewhere:
        print_line(" ".join(result_text.result_sentence(metrics)))
    elif metrics.tested_on_known_scenes:
        print_line(run_caveats.same_scene(metrics))
    else:
        print_line(
            _(
                "Test accuracy {accuracy}: right on {correct} of {n} new photos (95 % confidence "
                "interval: {interval}). Always answering {majority} would get {guess}."
            ).format(
                correct=metrics.test_correct,
                n=metrics.n_test,
                accuracy=percent(metrics.accuracy, 1),
                interval=percent_range(low, high, 1),
                majority=metrics.majority_class,
                guess=percent(metrics.guessing, 1),
            )
        )
    for text in run_caveats.caveats_of(metrics):
        if text != gap:
            print_line(_("Note: {text}").format(text=text))
    _print_techniques(metrics, settings)
    print_line(_("The run is at {folder}").format(folder=metrics.run_dir))


def _print_techniques(metrics: RunMetrics, settings: Settings) -> None:
    """Print what techniques brought, and the accuracy of further tasks and under attack."""
    for one in techniques_text.brought(settings, metrics):
        if one.title:
            print_line(one.title)
        if one.sentence:
            print_line(f"  {one.sentence}")
        for words, share, _before in one.rows:
            print_line(f"  {words}: {percent(share or 0.0, 1)}")
    for task in metrics.tasks:
        if task.n_test and task.test_accuracy is None:
            print_line(
                _("{task}: right on {correct} of {n}").format(
                    task=task.name, correct=task.test_correct, n=task.n_test
                )
            )
            continue
        print_line(
            _("{task}: right on {correct} of {n} ({share})").format(
                task=task.name,
                correct=task.test_correct,
                n=task.n_test,
                share=percent(task.accuracy, 1),
            )
        )
    told = metrics.adversarial
    if told:
        print_line(
            _(
                "Accuracy under attack (PGD) {trained}, before adversarial training {plain}; on "
                "unchanged photos {clean} and {plain_clean}."
            ).format(
                trained=percent(told.pgd.trained, 1),
                plain=percent(told.pgd.plain, 1),
                clean=percent(told.clean.trained, 1),
                plain_clean=percent(told.clean.plain, 1),
            )
        )

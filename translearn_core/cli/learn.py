"""Commands that train: `train` and `tune`, in this process, with a bar; and what came of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.cli.app import (
    BackboneOption,
    JsonOption,
    SourceArgument,
    TestSourceOption,
    app,
)
from translearn_core.cli.screen import Bar, output_to, print_json, print_line
from translearn_core.cli.settings import have_weights, make_settings_of
from translearn_core.errors import TransLearnError
from translearn_core.texts import _


@app.command()
def train(
    source: SourceArgument,
    test_source: TestSourceOption = None,
    backbone: BackboneOption = "",
    freeze: Annotated[
        str | None,
        typer.Option(
            help="all, none, or N: the first N blocks; -2: all but the last two. Default all, with "
            "--adversarial none."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many rounds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same split.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting.")
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE.csv", help="More kinds of labels: a column `file`, and one each."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="Settings that go together: article, quick.")] = "",
    adversarial: Annotated[
        str | None, typer.Option(help="fgsm or pgd: learn to withstand photos changed on purpose.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How much a dot may change, as a share of its range.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="A new folder for the run.")] = None,
    start_from: Annotated[
        str, typer.Option(metavar="RUN", help="Build on this run instead of the bare backbone.")
    ] = "",
    adapt_to: Annotated[
        str, typer.Option(metavar="DIR", help="Unsorted photos of the place to get used to.")
    ] = "",
    adaptation: Annotated[
        str, typer.Option(help="How: auto, batchnorm, coral, dann or pseudo.")
    ] = "",
    unlabelled: Annotated[
        str, typer.Option(metavar="DIR", help="Unsorted photos of the same things.")
    ] = "",
    distill_from: Annotated[
        str, typer.Option(metavar="RUN", help="A stronger run to learn from.")
    ] = "",
    compare_plain: Annotated[
        bool, typer.Option("--compare-plain", help="Also train plainly, to compare.")
    ] = False,
    json_: JsonOption = False,
) -> int:
    """Train on a labelled folder or zip, and say how well it does on photos kept aside."""
    from translearn_core import datasets, jobs, label_table, runs
    from translearn_core.resolve import resolve

    options = {
        "start_from": _absolute(start_from),
        "adapt_to": _absolute(adapt_to),
        "adaptation": adaptation,
        "unlabelled": _absolute(unlabelled),
        "distill_from": _absolute(distill_from),
        "compare_plain": compare_plain,
        "adversarial": adversarial,
        "strength": strength,
    }
    settings = make_settings_of(
        backbone=backbone,
        freeze=freeze,
        epochs=epochs,
        seed=seed,
        pairs=set_,
        preset=preset,
        options=options,
    )
    resolved = resolve(settings)
    if run_dir is not None:
        runs.check_free(run_dir)
    have_weights(resolved)
    table = label_table.read_table(tasks) if tasks is not None else None
    began = time.monotonic()
    with Bar() as bar:
        if table is not None:
            dataset, note = label_table.bring_in(
                source, table, test_source=test_source, progress=bar.show_progress
            )
            if note:
                bar.show(_("Note: {text}").format(text=note), None, always=True)
        else:
            dataset = datasets.import_source(
                source,
                test_source=test_source,
                in_place=source.is_dir(),
                check=False,
                progress=bar.show_progress,
            )
    import_s = time.monotonic() - began
    run = jobs.make_run(dataset, settings, folder=run_dir, import_s=import_s)
    work_here(run)
    return _report_run(run, json_)


def _absolute(named: str) -> str:
    """The whole path of a file or folder that is there; anything else, like an id, as it is."""
    return str(Path(named).resolve()) if named and Path(named).exists() else named


@app.command()
def tune(
    source: SourceArgument,
    minutes: Annotated[float, typer.Option(help="How long it may take, in all.")] = 3.0,
    test_source: TestSourceOption = None,
    backbone: Annotated[str, typer.Option(help="The backbone of the default to beat.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same seed, same split.")] = None,
    json_: JsonOption = False,
) -> int:
    """Search for better settings within a time, and say by how much they are better."""
    from translearn_core import datasets, study
    from translearn_core.jobs import create_study
    from translearn_core.resolve import resolve

    settings = make_settings_of(backbone=backbone, freeze=None, epochs=None, seed=seed, pairs=None)
    have_weights(resolve(settings))
    began = time.monotonic()
    with Bar() as bar:
        dataset = datasets.import_source(
            source,
            test_source=test_source,
            in_place=source.is_dir(),
            check=False,
            progress=bar.show_progress,
        )
    run = create_study(
        dataset, minutes=minutes, settings=settings, import_s=time.monotonic() - began
    )
    work_here(run)
    result = study.read_result(run)
    if run.state.state == "failed":
        raise TransLearnError(run.state.reason)
    if result is None:
        raise TransLearnError(
            _("Stopped before anything was tried. The search is at {folder}.").format(
                folder=run.folder
            )
        )
    if json_:
        print_json(result.model_dump(mode="json"), indent=None)
        return 0
    print_line(result.sentence)
    for name, value in result.best.items():
        print_line(f"  {name} = {value}")
    if result.run_dir:
        print_line(_("The run is at {folder}").format(folder=result.run_dir))
    return 0


def work_here(run: Any) -> None:
    """Train in this process, with a bar; one interrupt stops and keeps, a second ends."""
    from translearn_core import worker

    ended = threading.Event()
    with output_to(run.folder / "log.txt"), Bar() as bar:
        watcher = threading.Thread(target=bar.follow, args=(run, ended), daemon=True)
        watcher.start()
        try:
            with _interrupt_stops(run):
                worker.work(run)
        finally:
            ended.set()
            watcher.join()


@contextmanager
def _interrupt_stops(run: Any) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop and keep its best weights; the second ends it."""
    import signal

    def ask(_number: int, _frame: Any) -> None:
        if run.stop_requested:
            raise KeyboardInterrupt
        run.request_stop()
        sys.stderr.write("\n" + _("Stopping; what was learned is kept.") + "\n")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _report_run(run: Any, json_: bool) -> int:
    """Print how the run ended; the exit code."""
    state = run.state
    if state.state == "failed":
        raise TransLearnError(state.reason)
    if not run.has_result:
        raise TransLearnError(
            _("Stopped before anything was learned. The run is at {folder}.").format(
                folder=run.folder
            )
        )
    metrics = run.metrics
    if json_:
        print_json(metrics, indent=None)
    else:
        _print_result(metrics)
    return 0 if state.state in ("finished", "stopped") else 1


def _print_result(metrics: dict[str, Any]) -> None:
    low, high = metrics["test_interval"]
    if metrics["test_accuracy"] is None:
        print_line(_("No photos were left for a test."))
    else:
        print_line(
            _(
                "Right on {correct} of {n} new photos ({accuracy:.1%}; with 95 % certainty between "
                "{low:.1%} and {high:.1%}). Always answering {majority} would get {guess:.1%}."
            ).format(
                correct=metrics["test_correct"],
                n=metrics["n_test"],
                accuracy=metrics["test_accuracy"],
                low=low,
                high=high,
                majority=metrics["majority_class"],
                guess=metrics["majority_accuracy"],
            )
        )
    _print_techniques(metrics)
    print_line(_("The run is at {folder}").format(folder=metrics["run_dir"]))


def _print_techniques(metrics: dict[str, Any]) -> None:
    """What further tasks and attacks came to."""
    for task in metrics.get("tasks") or []:
        print_line(
            _("{task}: right on {correct} of {n} ({share:.1%})").format(
                task=task["name"],
                correct=task["test_correct"],
                n=task["n_test"],
                share=task["test_accuracy"] or 0.0,
            )
        )
    told = metrics.get("adversarial")
    if told:
        print_line(
            _(
                "Under attack (PGD) right on {trained:.1%}, plainly trained on {plain:.1%}; on photos "
                "as they are {clean:.1%} and {plain_clean:.1%}."
            ).format(
                trained=told["pgd"]["trained"],
                plain=told["pgd"]["plain"],
                clean=told["clean"]["trained"],
                plain_clean=told["clean"]["plain"],
            )
        )

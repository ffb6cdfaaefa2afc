"""The app without a browser: `python -m translearn_core …`.

Owns: arguments, progress on stderr, what is printed on stdout, exit codes: 0 when the thing
was done, 2 with one line on stderr for bad input, 1 for anything else, 130 when interrupted.
Leaves to others: the doing; these are the calls that the pages make.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.errors import InputError, RunError, SettingsError, TransLearnError
from translearn_core.texts import _, ngettext

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Teach a computer to tell photos apart, on this machine, without code.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        result = app(args=arguments, prog_name="python -m translearn_core", standalone_mode=False)
        return int(result or 0)
    except InputError as error:
        return _complain(error.message, 2)
    except TransLearnError as error:
        return _complain(error.message, 1)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(_("Interrupted."), 130)
    except Exception as error:
        # What click itself says of wrong arguments is one line, too.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _complain(str(error.format_message()), 2)
        raise


def _complain(message: str, code: int) -> int:
    sys.stderr.write(" ".join(message.split()) + "\n")
    return code


@app.command()
def backbones(json_: JsonOption = False) -> None:
    """List the backbones and whether their weights are on this machine."""
    from translearn_core.backbones import BACKBONES, weights_status

    rows = []
    for backbone in BACKBONES.values():
        status = weights_status(backbone)
        rows.append(
            {
                "name": backbone.name,
                "title": backbone.title,
                "size_mb": backbone.size_mb,
                "parameters": backbone.parameters,
                "input_size": backbone.input_size,
                "top1": backbone.top1,
                "licence": backbone.licence,
                "when": _(backbone.when),
                "weights": status.state,
                "weights_file": str(status.path),
                "weights_sentence": status.sentence,
            }
        )
    if json_:
        _print_json(rows)
        return
    for row in rows:
        top1 = f"{row['top1']:.1%}" if row["top1"] is not None else "-"
        _print(
            f"{row['name']:<20} {row['size_mb']:>5.0f} MB {row['input_size']:>4} px "
            f"{top1:>6}  {row['weights']:<9} {row['when']}"
        )


@app.command()
def check(
    source: Annotated[Path, typer.Argument(help="A folder or zip of photos.")],
    json_: JsonOption = False,
) -> None:
    """Look at a labelled folder or zip: classes, counts, what would be left out, warnings."""
    from translearn_core import datasets

    with tempfile.TemporaryDirectory(prefix="translearn-check-") as folder:
        with _workspace(Path(folder)), _Bar() as bar:
            dataset = datasets.import_source(
                source, in_place=source.is_dir(), progress=bar.show_progress
            )
        report = _describe(dataset)
        bar.clear()
    if json_:
        _print_json(report)
    else:
        _print_report(report)
    if report["problem"]:
        raise InputError(report["problem"])


def _describe(dataset: Any) -> dict[str, Any]:
    """What `check` reports of a data set."""
    from translearn_core import datasets

    try:
        datasets.check_ready(dataset)
        problem = ""
    except InputError as error:
        problem = error.message
    photos = dataset.photos
    return {
        "name": dataset.name,
        "classes": {name: int(n) for name, n in dataset.counts.items()},
        "n_photos": len(photos),
        "splits": {str(k): int(n) for k, n in photos["split"].value_counts().items() if k},
        "left_out": _rows(dataset.left_out),
        "smallest": [int(photos["width"].min()), int(photos["height"].min())]
        if len(photos)
        else [],
        "largest": [int(photos["width"].max()), int(photos["height"].max())] if len(photos) else [],
        "warnings": datasets.warnings(dataset),
        "problem": problem,
    }


def _rows(frame: Any) -> list[dict[str, str]]:
    return [
        {"file": str(file), "reason": str(reason)}
        for file, reason in zip(frame["file"], frame["reason"], strict=True)
    ]


def _print_report(report: dict[str, Any]) -> None:
    n, classes = report["n_photos"], report["classes"]
    _print(_("{photos} photos in {classes} classes").format(photos=n, classes=len(classes)))
    for name, count in classes.items():
        _print(f"  {count:>6}  {name}")
    left_out = report["left_out"]
    if left_out:
        _print(
            ngettext("{n} file left out:", "{n} files left out:", len(left_out)).format(
                n=len(left_out)
            )
        )
    for row in left_out:
        _print(f"  {row['file']}: {row['reason']}")
    for warning in report["warnings"]:
        _print(_("Note: {text}").format(text=warning))


@app.command()
def train(
    source: Annotated[Path, typer.Argument(help="A folder or zip whose folders are the classes.")],
    test_source: Annotated[
        Path | None, typer.Option(help="Photos kept for the test, in folders of the same names.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="A name that `backbones` lists.")] = "",
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
    settings = _settings(
        backbone=backbone,
        freeze=freeze,
        epochs=epochs,
        seed=seed,
        pairs=set_,
        preset=preset,
        options=options,
    )
    _check_early(settings)
    if run_dir is not None and run_dir.exists() and (run_dir.is_file() or any(run_dir.iterdir())):
        raise RunError(
            _("The run folder {folder} is not empty. Name a new or an empty folder.").format(
                folder=run_dir
            )
        )
    _have_weights(settings)
    table = label_table.read_table(tasks) if tasks is not None else None
    began = time.monotonic()
    with _Bar() as bar:
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
    settings = jobs.check_settings(dataset, settings)
    run = runs.create_run(
        dataset.folder,
        settings,
        dataset_name=dataset.name,
        fingerprint=dataset.fingerprint,
        folder=run_dir,
        import_s=time.monotonic() - began,
    )
    _work(run)
    return _report_run(run, json_)


def _absolute(named: str) -> str:
    """The whole path of a file or folder that is there; anything else, like an id, as it is."""
    return str(Path(named).resolve()) if named and Path(named).exists() else named


def _settings(
    *,
    backbone: str,
    freeze: str | None,
    epochs: int | None,
    seed: int | None,
    pairs: list[str] | None,
    preset: str = "",
    options: dict[str, Any] | None = None,
) -> Any:
    """The settings of a run out of the command line; `options` are settings that were named."""
    from translearn_core.config import make_settings
    from translearn_core.presets import get_preset

    values: dict[str, Any] = dict(get_preset(preset).settings) if preset else {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise SettingsError(
                _("`--set` takes NAME=VALUE, like `--set dropout=0.3`. Received: {text}.").format(
                    text=pair
                )
            )
        values[name.strip()] = value.strip()
    values |= {"backbone": backbone} if backbone else {}
    if freeze is not None:
        values["freeze"] = freeze
    elif (options or {}).get("adversarial"):  # a head alone can hardly learn to resist
        values.setdefault("freeze", "none")
    values |= {"epochs": epochs} if epochs is not None else {}
    values |= {"seed": seed} if seed is not None else {}
    values |= {name: value for name, value in (options or {}).items() if value}
    return make_settings(values)


def _check_early(settings: Any) -> None:
    """Refuse what does not fit the backbone before any photo is read."""
    from translearn_core import techniques
    from translearn_core.backbones import (
        default_backbone,
        freeze_choice,
        get_backbone,
        image_size_for,
    )

    name = settings.backbone or techniques.required_backbone(settings)
    chosen = get_backbone(name) if name else default_backbone()
    choice = freeze_choice(chosen, settings.freeze, settings.freeze_layer)
    image_size_for(chosen, settings)
    techniques.check(techniques.Situation(settings=settings, backbone=chosen, choice=choice))


def _have_weights(settings: Any) -> None:
    """Download the backbone's weights if they are not here and may be fetched."""
    from translearn_core.backbones import download_weights, get_backbone, weights_status

    if not settings.backbone or settings.weights != "imagenet":
        return
    chosen = get_backbone(settings.backbone)
    if weights_status(chosen).state == "ready":
        return
    with _Bar() as bar:

        def tell(done: int, total: int) -> None:
            text = _("Downloading {file}: {done:.0f} of {total:.0f} MB")
            bar.show(
                text.format(file=chosen.weight_file, done=done / 1e6, total=total / 1e6),
                done / total if total else None,
            )

        download_weights(chosen, progress=tell)


def _work(run: Any) -> None:
    """Train in this process, with a bar; one interrupt stops and keeps, a second ends."""
    from translearn_core import worker

    ended = threading.Event()
    with _output_to(run.folder / "log.txt"), _Bar() as bar:
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


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Send the core's log, and what native libraries write to stderr, to the run's own file.

    What this process itself writes to `sys.stderr` still reaches the person.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("translearn_core")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    person = sys.stderr
    person.flush()
    kept = os.dup(2)
    sys.stderr = os.fdopen(kept, "w", encoding=person.encoding, buffering=1, closefd=False)
    log = path.open("ab")
    os.dup2(log.fileno(), 2)
    log.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        sys.stderr = person
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


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
        _print_json(metrics, indent=None)
    else:
        _print_result(metrics)
    return 0 if state.state in ("finished", "stopped") else 1


def _print_result(metrics: dict[str, Any]) -> None:
    low, high = metrics["test_interval"]
    if metrics["test_accuracy"] is None:
        _print(_("No photos were left for a test."))
    else:
        _print(
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
    _print(_("The run is at {folder}").format(folder=metrics["run_dir"]))


def _print_techniques(metrics: dict[str, Any]) -> None:
    """What further tasks and attacks came to."""
    for task in metrics.get("tasks") or []:
        _print(
            _("{task}: right on {correct} of {n} ({share:.1%})").format(
                task=task["name"],
                correct=task["test_correct"],
                n=task["n_test"],
                share=task["test_accuracy"] or 0.0,
            )
        )
    told = metrics.get("adversarial")
    if told:
        _print(
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


@app.command()
def tune(
    source: Annotated[Path, typer.Argument(help="A folder or zip whose folders are the classes.")],
    minutes: Annotated[float, typer.Option(help="How long it may take, in all.")] = 3.0,
    test_source: Annotated[
        Path | None, typer.Option(help="Photos kept for the test, in folders of the same names.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="The backbone of the default to beat.")] = "",
    seed: Annotated[int | None, typer.Option(help="Same seed, same split.")] = None,
    json_: JsonOption = False,
) -> int:
    """Search for better settings within a time, and say by how much they are better."""
    from translearn_core import datasets, study

    settings = _settings(backbone=backbone, freeze=None, epochs=None, seed=seed, pairs=None)
    _check_early(settings)
    _have_weights(settings)
    began = time.monotonic()
    with _Bar() as bar:
        dataset = datasets.import_source(
            source,
            test_source=test_source,
            in_place=source.is_dir(),
            check=False,
            progress=bar.show_progress,
        )
    run = study.create_study(
        dataset, minutes=minutes, settings=settings, import_s=time.monotonic() - began
    )
    _work(run)
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
        _print_json(result.model_dump(mode="json"), indent=None)
        return 0
    _print(result.sentence)
    for name, value in result.best.items():
        _print(f"  {name} = {value}")
    if result.run_dir:
        _print(_("The run is at {folder}").format(folder=result.run_dir))
    return 0


@app.command()
def predict(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    json_: JsonOption = False,
    csv_: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table to FILE.")
    ] = None,
) -> int:
    """Ask a trained model about photos. A file that cannot be read is a row with an error."""
    from translearn_core.predict import find_photos
    from translearn_core.predict import predict as ask
    from translearn_core.runs import Run

    run = Run(run_dir)
    paths = list(find_photos(photos))
    if not paths:
        raise InputError(_("There are no files in {places}.").format(places=_join(photos)))
    predictions = list(ask(run, paths))
    if csv_ is not None:
        _write_csv(csv_, run.labels, predictions)
    if json_:
        _print_json([asdict(prediction) for prediction in predictions])
    elif csv_ is None:
        for prediction in predictions:
            _print_prediction(prediction)
    if all(prediction.error for prediction in predictions):
        raise InputError(_("None of the files could be read as a photo."))
    return 0


def _join(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def _print_prediction(prediction: Any) -> None:
    if prediction.error:
        _print(f"{prediction.file}: {prediction.error}")
        return
    answer = f"{prediction.label} ({prediction.confidence:.1%})"
    more = "".join(
        f"; {task}: {next(iter(shares))} ({next(iter(shares.values())):.1%})"
        for task, shares in (prediction.tasks or {}).items()
    )
    if prediction.unlike:
        answer = _("like nothing it was shown; if anything {answer}").format(answer=answer)
    elif not prediction.sure:
        answer = _("not sure; if anything {answer}").format(answer=answer)
    _print(f"{prediction.file}: {answer}{more}")


def _write_csv(path: Path, classes: list[str], predictions: list[Any]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            tasks = next((list(row.tasks) for row in predictions if row.tasks), [])
            head = ["file", "label", "confidence", *classes, "error", "sure", "unlike", *tasks]
            writer.writerow(head)
            for row in predictions:
                shares = row.probabilities or {}
                answers = [shares.get(name, "") for name in classes]
                facts = [row.file, row.label or "", row.confidence or "", *answers]
                said = {True: "yes", False: "no", None: ""}
                more = [next(iter((row.tasks or {}).get(task, {})), "") for task in tasks]
                writer.writerow([*facts, row.error or "", said[row.sure], said[row.unlike], *more])
    except OSError as error:
        raise _cannot_write(path, error) from error


@app.command()
def compare(
    run_dirs: Annotated[list[Path], typer.Argument(help="The folders of two runs or more.")],
    against: Annotated[
        Path | None, typer.Option(help="The run to hold the others against; default the best.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Hold runs against each other on photos that none of them learned from."""
    from translearn_core.compare import as_json
    from translearn_core.compare import compare as hold
    from translearn_core.runs import Run

    found = [Run(folder) for folder in run_dirs]
    reference = Run(against).id if against is not None else None
    if reference is not None and reference not in [run.id for run in found]:
        raise RunError(_("`--against` must name one of the runs that are compared."))
    with _Bar() as bar:
        comparison = hold(
            found,
            reference=reference,
            progress=lambda done, total, what: bar.show(f"{what} {done} / {total}", done / total),
        )
    if json_:
        _print_json(as_json(comparison))
    else:
        _print_comparison(comparison)


def _print_comparison(comparison: Any) -> None:
    _print(comparison.sentence)
    for one in comparison.runs:
        low, high = one.interval
        seconds = one.facts.get("seconds")
        took = f"{seconds:.0f} s" if seconds is not None else "-"
        _print(
            f"  {one.letter}  {one.accuracy:>6.1%} [{low:.1%}, {high:.1%}]  {took:>7}  "
            f"{one.name}  {one.run.folder}"
        )
    for duel in comparison.duels:
        _print(f"{duel.sentence} (p = {duel.p_corrected:.3g})")
    for name, values in comparison.settings.items():
        _print(f"  {name}: " + ", ".join(f"{letter} {value}" for letter, value in values.items()))
    for text in comparison.remarks:
        _print(_("Note: {text}").format(text=text))


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="An HTML file to write.")],
) -> None:
    """Write a report of a run: one HTML file that holds everything and can be printed."""
    from translearn_core.report import write_report
    from translearn_core.runs import Run

    _print(_("Written: {file}").format(file=write_report(Run(run_dir), target)))


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="See docs/exports.md.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="A .zip file or a folder.")],
    json_: JsonOption = False,
) -> int:
    """Make a model ready for other programs, check it against the app, and write the zip."""
    from translearn_core import export as exports
    from translearn_core.exports.make import Watch, folder_name, make_export
    from translearn_core.runs import Run

    run, row = Run(run_dir), exports.get_format(format_)
    exports.check_model(run)
    if target.is_dir() or not target.suffix:
        target = target / f"{folder_name(run, row)}.zip"
    exports.folder_of(run).mkdir(exist_ok=True)
    with _output_to(exports.log_path(run, row)), _Bar() as bar:
        watch = Watch(
            tell=lambda words: bar.show(words, None, always=True),
            progress=lambda done, total: bar.show(
                _("Photo {done} of {total}").format(done=done, total=total), done / max(total, 1)
            ),
        )
        parity = make_export(run, row, watch)
    _copy_export(exports.zip_path(run, row), target)
    if json_:
        _print_json({"file": str(target)} | parity.model_dump(exclude={"stamp"}))
    else:
        _print(exports.sentence_of(parity))
        _print(_("Written: {file}").format(file=target))
    return 0 if parity.within else 1


def _copy_export(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise _cannot_write(target, error) from error


def _cannot_write(file: Path, error: OSError) -> InputError:
    return InputError(
        _("{file} cannot be written: {cause}. Name another file.").format(
            file=file, cause=error.strerror
        )
    )


@app.command()
def code(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="A .py or .ipynb file to write.")],
) -> None:
    """Write a run as a short Keras program or notebook that does the same without the app."""
    from translearn_core.runs import Run
    from translearn_core.script import write_code

    for file in write_code(Run(run_dir), target):
        _print(_("Written: {file}").format(file=file))


@app.command(name="import-model")
def import_model(
    source: Annotated[Path, typer.Argument(help="A .keras file, or a zip that TransLearn made.")],
    classes: Annotated[
        str, typer.Option(help="Class names in the order of the outputs, separated by commas.")
    ] = "",
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    image_size: Annotated[int, typer.Option(help="Side of the photos, where any will do.")] = 0,
    pixels: Annotated[
        str, typer.Option(help="What the model expects for a pixel: 0..255, 0..1 or -1..1.")
    ] = "0..255",
    json_: JsonOption = False,
) -> None:
    """Bring a model from elsewhere back, as a run that can be asked about photos."""
    from translearn_core.adopt import PIXELS, adopt_model

    chosen = next((known for known in PIXELS if known == pixels), None)
    if chosen is None:
        raise InputError(
            _("`--pixels` must be {allowed}. Received: {received}.").format(
                allowed=_(" or ").join(f"`{known}`" for known in PIXELS), received=pixels
            )
        )
    with _Bar() as bar:
        run = adopt_model(
            source,
            classes=[part for part in classes.split(",") if part.strip()] or None,
            name=name,
            image_size=image_size,
            pixels=chosen,
            tell=lambda words: bar.show(words, None, always=True),
        )
    if json_:
        _print_json({"run_dir": str(run.folder), "classes": run.labels})
    else:
        _print(_("The run is at {folder}").format(folder=run.folder))


@app.command()
def feasible(
    source: Annotated[Path, typer.Argument(help="A folder or zip whose folders are the classes.")],
    test_source: Annotated[
        Path | None, typer.Option(help="Photos kept for the test, in folders of the same names.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="A name that `backbones` lists.")] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same answer.")] = 0,
    json_: JsonOption = False,
) -> None:
    """Say, before anyone trains, whether these photos can be told apart, and what would help."""
    from translearn_core import datasets
    from translearn_core import feasible as check
    from translearn_core.backbones import get_backbone

    settings = _settings(backbone=backbone, freeze=None, epochs=None, seed=seed, pairs=None)
    _check_early(settings)
    _have_weights(settings)
    with _Bar() as bar:
        dataset = datasets.import_source(
            source,
            test_source=test_source,
            in_place=source.is_dir(),
            check=False,
            progress=bar.show_progress,
        )
    folder = check.folder_of(dataset)
    folder.mkdir(exist_ok=True)
    looking = _("Looking at photo {done:,} of {total:,} · {per_s:.0f}/s")
    with _output_to(folder / "log.txt"), _Bar() as bar:
        report = check.assess(
            dataset,
            backbone=get_backbone(backbone) if backbone else None,
            seed=seed,
            progress=lambda done, total, per_s: bar.show(
                looking.format(done=done, total=total, per_s=per_s), done / max(total, 1)
            ),
            tell=lambda name: bar.show(_(check.STAGES[name]), None, always=True),
        )
    if json_:
        _print_json(report.model_dump(mode="json"), indent=None)
    else:
        _print_feasible(report)


def _print_feasible(report: Any) -> None:
    _print(report.sentence)
    ahead = report.forecast
    if ahead is not None:
        _print(
            _(
                "With {n} photos it would get about {share:.0%}, between {low:.0%} and {high:.0%}."
            ).format(n=ahead.n, share=ahead.accuracy, low=ahead.low, high=ahead.high)
        )
    if report.advice:
        _print(_("What would help, most first:"))
    for number, advice in enumerate(report.advice, 1):
        _print(f"  {number}. {advice.text}")


@contextmanager
def _workspace(folder: Path) -> Iterator[None]:
    """Work in another workspace for a while, so that nothing is left in the person's own."""
    before = os.environ.get("TRANSLEARN_HOME")
    os.environ["TRANSLEARN_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TRANSLEARN_HOME"]
        else:
            os.environ["TRANSLEARN_HOME"] = before


class _Bar:
    """Progress on stderr: a bar on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = 0.0 if self._terminal else time.monotonic()
        self._width = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._terminal and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
        self._width = 0

    def show(self, text: str, share: float | None, *, always: bool = False) -> None:
        """Show a text and how much of it is done."""
        now = time.monotonic()
        if not always and now - self._told < (0.1 if self._terminal else 2.0):
            return
        self._told = now
        if not self._terminal:
            sys.stderr.write(text + "\n")
            return
        filled = "" if share is None else "█" * round(20 * share) + "░" * (20 - round(20 * share))
        line = f"{filled} {text}".strip()[:110]
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def show_progress(self, progress: Any) -> None:
        """Show how far an import is."""
        share = progress.done / progress.total if progress.total else None
        count = (
            f"{progress.done:,} / {progress.total:,}" if progress.total else f"{progress.done:,}"
        )
        self.show(f"{progress.what} {count}", share)

    def follow(self, run: Any, ended: threading.Event) -> None:
        """Show a run's events as they come, until it has ended."""
        offset = 0
        while True:
            last_round = ended.is_set()
            events, offset = run.events(offset)
            for event in events:
                self._show_event(event)
            if last_round:
                return
            ended.wait(0.1)

    def _show_event(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "progress":
            text = _("Looking at photo {done:,} of {total:,} · {per_s:.0f}/s · {left:.0f} s left")
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
            text = _("Round {epoch} of {epochs} · right on {accuracy:.1%} · loss {loss:.3f}")
            self.show(
                text.format(
                    epoch=event["epoch"],
                    epochs=event["epochs"],
                    accuracy=accuracy or 0.0,
                    loss=event["loss"] or 0.0,
                ),
                event["epoch"] / event["epochs"],
            )
        elif kind == "trial":
            text = _("Settings no. {n}: right on {share} in cross-validation")
            share = _("given up") if event["given_up"] else f"{event['accuracy']:.1%}"
            self.show(text.format(n=event["number"], share=share), None, always=True)
        elif kind == "warning":
            self.clear()
            self.show(_("Note: {text}").format(text=event["text"]), None, always=True)
            if self._terminal:
                sys.stderr.write("\n")


def _print_json(content: Any, *, indent: int | None = 1) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=indent) + "\n")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")

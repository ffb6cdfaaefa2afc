"""The report of a run: one HTML file without references to others.

Owns: the content of the report (a model card, after Mitchell et al., 2019): result, photos, errors,
training, settings, limits, method.
Leaves to others: the layout (`templates/report`), the charts (`charts.py`), sentences on confidence
and limits (`model_card_text.py`), the figures (`training/save.py`, `evaluation/metrics.py`).

The file has no script and its content security policy forbids every request; pictures are
inside as `data:` addresses. It prints on A4 and follows the reader's choice of light or dark.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from translearn_core import __version__, backbones
from translearn_core.atomic import write_atomically
from translearn_core.datasets import Dataset
from translearn_core.datasets.class_places import places_of
from translearn_core.errors import PhotoError, RunError, SourceError, StorageError
from translearn_core.evaluation.calibration import reliability_bins
from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.formatting import certainty, percent, percent_range, stamp
from translearn_core.i18n import _, language, ngettext, number, tag
from translearn_core.palette import class_color
from translearn_core.reports import charts as report_charts
from translearn_core.reports import model_card_text, result_text
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.annotations import Notes, display_name, read_notes
from translearn_core.runs.predictions import read_predictions, read_task_predictions
from translearn_core.runs.run_metrics import HeadMetrics, RunMetrics, TaskMetrics
from translearn_core.runs.splits import recover_split
from translearn_core.runs.threshold import read_threshold, threshold_effect
from translearn_core.templates import render

MOST_EXAMPLES = 12
"""Correct predictions, and wrong ones, that a report shows at most."""
MOST_CLASS_PICTURES = 24
PICTURE_SIDE = 176


@dataclass(frozen=True, kw_only=True)
class _Case:
    """The data of a report. Without the photos `dataset` is None."""

    run: Run
    metrics: RunMetrics
    answers: pd.DataFrame
    notes: Notes
    dataset: Dataset | None
    parts: pd.DataFrame | None
    gone: str
    """Why the photos are missing; empty where they are not."""

    @property
    def classes(self) -> list[str]:
        return self.metrics.classes

    @property
    def tasks(self) -> list[TaskMetrics]:
        """The figures of each task, the first one first; none where there is one only."""
        return self.metrics.tasks if self.metrics.further_tasks else []

    @property
    def n_test(self) -> int:
        return self.metrics.n_test


def report_html(run: Run) -> str:
    """The report of a run as one HTML text.

    Raises:
        RunError: the run has no figures.
    """
    case = _read_case(run)
    return render(
        "report/report.html.j2",
        language=tag(language.get()),
        name=display_name(run),
        **_head(case),
        photos=_photos(case),
        confusion=_mistakes(case),
        classes=_classes_table(case.metrics) if case.n_test else None,
        slices=_slices_tables(case.metrics),
        examples=_examples(case),
        confidence=_confidence(case),
        further_tasks=[_task(case, task) for task in case.tasks[1:]],
        learning=_learning(case),
        limits=model_card_text.limits(run),
        method=_method(case),
        settings=_settings(case),
        footer=_footer(case),
    )


def write_report(run: Run, target: Path) -> Path:
    """Write the report into a file, or into a folder under a name of its own.

    Returns:
        The file written.

    Raises:
        RunError: the run has no figures.
        StorageError: the file cannot be written.
    """
    if target.is_dir():
        target = target / f"report-{run.id}.html"
    content = report_html(run)
    try:
        write_atomically(target, content)
    except OSError as error:
        raise StorageError(
            _("{file} cannot be written: {cause}. Name another place.").format(
                file=target, cause=error.strerror
            )
        ) from error
    return target


def _read_case(run: Run) -> _Case:
    run.require()
    run.require_whole()
    if run.has_model and not run.has_result:
        raise RunError(
            _(
                "{run} was brought in from elsewhere and has never been tested here, so there is "
                "nothing to report."
            ).format(run=display_name(run))
        )
    metrics, answers = run.metrics, read_predictions(run)
    dataset, table, gone = None, None, ""
    try:
        parts = recover_split(run)
        dataset, table = parts.dataset, parts.table if parts.certain else None
    except SourceError as error:
        gone = error.message
    return _Case(
        run=run,
        metrics=metrics,
        answers=answers,
        notes=read_notes(run),
        dataset=dataset,
        parts=table,
        gone=gone,
    )


# --- values of the template ----------------------------------------------------------------------


def _head(case: _Case) -> dict[str, Any]:
    """The head of the report."""
    run = case.run
    when = stamp(datetime.fromtimestamp(run.config.created))
    return {
        "title": _("{name}: report of an image classifier").format(name=display_name(run)),
        "verdict": _verdict(case),
        "what_it_does": _what_it_does(case),
        "tasks": _tasks_table(case),
        "notes": case.notes,
        "made": _("Date: {when}").format(when=when),
    }


def _verdict(case: _Case) -> dict[str, str]:
    metrics = case.metrics
    if not case.n_test:
        return {"sentence": _("No photos were left for a test."), "drawing": ""}
    if metrics.tested_elsewhere:
        sentence, rest = result_text.result_sentence(metrics)
        return {"sentence": sentence, "drawing": "", "range": rest}
    seen_scenes = run_caveats.same_scene(metrics)
    if seen_scenes:
        return {"sentence": seen_scenes, "drawing": ""}
    low, high = metrics.test_interval
    sentence = _("Right on {correct:,} of {n:,} new photos ({share}).").format(
        correct=metrics.test_correct, n=case.n_test, share=percent(metrics.accuracy)
    )
    gap = run_caveats.gap_of(metrics)
    if gap:
        sentence = f"{gap} {sentence}"
    rest = _(
        "95 % confidence interval: {interval}. Always answering “{majority}” would be "
        "right on {guess}."
    ).format(
        interval=percent_range(low, high),
        majority=metrics.majority_class,
        guess=percent(metrics.guessing),
    )
    drawing = report_charts.interval(metrics.accuracy, low, high, guess=metrics.guessing)
    wide = drawing.replace('class="interval"', 'class="big interval"')
    return {"sentence": sentence, "drawing": wide, "range": rest}


def _what_it_does(case: _Case) -> str:
    names = case.classes
    words = _(
        "This image classifier predicts which of {n} classes a photo shows: {names}. It was made "
        "by transfer learning: a pretrained network ({backbone}) was trained on photos of these "
        "classes."
    ).format(n=len(names), names=", ".join(names), backbone=_backbone_title(case.metrics))
    if not case.tasks:
        return words
    further = "; ".join(f"{one.name} ({', '.join(one.classes)})" for one in case.tasks[1:])
    return (
        words
        + " "
        + _(
            "That is the task “{first}”; where this report names no other, it is about this one. "
            "The same model has further tasks: {further}."
        ).format(first=case.tasks[0].name, further=further)
    )


def _tasks_table(case: _Case) -> dict[str, Any] | None:
    """The accuracy of each task; None where there is only one."""
    rows = [
        _share_row(
            task.name,
            task.test_correct,
            task.n_test,
            percent(task.guessing) if task.n_test else "–",
            guess=task.guessing,
            shares=task.test_accuracy is not None,
        )
        for task in case.tasks
    ]
    caption = _("Task by task (multi-task), on the test photos that carry such a label")
    head = [_("task"), _("right"), "", _("95 % range"), _("guessing")]
    return {"caption": caption, "head": head, "rows": rows} if rows else None


def _share_row(
    name: str,
    correct: int,
    n: int,
    last: str,
    *,
    guess: float | None = None,
    shares: bool = True,
) -> dict[str, str]:
    """A row of a table: a share as count, drawing and 95 % interval, and a last value.

    Args:
        shares: whether drawing and interval may be shown; not where only the count is known.
    """
    low, high = wilson_interval(correct, n)
    shares = shares and n > 0
    return {
        "name": name,
        "count": _("{correct} of {n}").format(correct=correct, n=n),
        "picture": report_charts.interval(correct / n, low, high, guess=guess) if shares else "",
        "interval": percent_range(low, high) if shares else "–",
        "last": last,
    }


def _values_table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: bool = True
) -> dict[str, Any]:
    """A table of values; with `numbers` all but the first column are right-aligned."""
    texts = [[number(v, ",") if isinstance(v, int) else str(v) for v in row] for row in rows]
    return {"caption": caption, "head": head, "rows": texts, "numbers": numbers}


def _backbone_title(metrics: RunMetrics) -> str:
    row = backbones.BACKBONES.get(metrics.backbone)
    return _(row.title) if row else str(metrics.backbone)


def _photos(case: _Case) -> dict[str, Any]:
    metrics = case.metrics
    total = metrics.n_train + metrics.n_val + case.n_test
    text = _(
        "{total:,} photos: {train:,} for training, {val:,} for validation, {test:,} held out for "
        "the test."
    ).format(total=total, train=metrics.n_train, val=metrics.n_val, test=case.n_test)
    left_out = metrics.left_out
    if left_out:
        text += " " + ngettext(
            "{n} file could not be used.", "{n} files could not be used.", len(left_out)
        ).format(n=len(left_out))
    return {
        "sentence": text,
        "counts": _counts_table(case),
        "gone": case.gone,
        "pictures": _class_pictures(case),
    }


def _counts_table(case: _Case) -> dict[str, Any]:
    tested = case.answers["truth"].value_counts()
    head = [_("class")]
    if case.parts is None:
        rows = [[name, int(tested.get(name, 0))] for name in case.classes]
        head.append(_("test photos"))
    else:
        counts = case.parts.groupby(["class_name", "part"]).size().to_dict()
        head += [_("to learn from"), _("validation"), _("test")]
        rows = [
            [name, *(int(counts.get((name, part), 0)) for part in ("train", "val", "test"))]
            for name in case.classes
        ]
    return _values_table(_("Photos of each class"), head, rows)


def _class_pictures(case: _Case) -> list[dict[str, str]]:
    """One photo of each class, a training photo where the split is known."""
    if case.dataset is None:
        return []
    photos = case.dataset.photos if case.parts is None else case.parts
    found = []
    for name in case.classes[:MOST_CLASS_PICTURES]:
        of_class = photos[photos["class_name"] == name]
        if len(of_class):
            row = of_class.iloc[len(of_class) // 2]
            found += _pictures(case, row["path"], row["file"], bold=name)
    return found


def _mistakes(case: _Case) -> dict[str, str] | None:
    if not case.n_test:
        return None
    reading = _(
        "Each row holds the test photos of one class, each column an answer. The diagonal is "
        "right; everything beside it is a mistake."
    )
    known = case.dataset.class_places if case.dataset is not None else {}
    places = places_of(known, case.classes)
    return _confusion(case.metrics, reading, colors=[class_color(at) for at in places.values()])


def _confusion(
    figures: HeadMetrics, reading: str = "", *, colors: Sequence[str] = ()
) -> dict[str, str]:
    """The confusion matrix of a task with its sentences."""
    words = _confusion_sentence(figures.confusion, figures.classes)
    drawn = report_charts.matrix(figures.confusion, figures.classes, words=words, colors=colors)
    return {"sentence": words, "reading": reading, "drawing": drawn}


def _confusion_sentence(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    mistakes = [
        (n, names[row], names[column])
        for row, line in enumerate(counts)
        for column, n in enumerate(line)
        if row != column and n
    ]
    if not mistakes:
        return _("There was no mistake on these photos.")
    n, truth, answer = max(mistakes, key=lambda mistake: mistake[0])
    return ngettext(
        "Most often mixed up: “{truth}” taken for “{answer}” ({n} photo).",
        "Most often mixed up: “{truth}” taken for “{answer}” ({n} photos).",
        n,
    ).format(truth=truth, answer=answer, n=n)


def _classes_table(figures: HeadMetrics) -> dict[str, Any]:
    """Recall and precision of each class of a task."""
    rows = []
    for one in sorted(figures.per_class, key=lambda one: one.recall or 0.0):
        answered = "–"
        if one.answered:
            answered = _("{correct} of {n}").format(correct=one.correct, n=one.answered)
        known = figures.test_accuracy is not None
        rows.append(_share_row(one.name, one.correct, one.n_test, answered, shares=known))
    head = [
        _("class"),
        _("found (recall)"),
        "",
        _("95 % range"),
        _("correct when predicted (precision)"),
    ]
    return {"caption": _("The hardest classes come first."), "head": head, "rows": rows}


def _slices_tables(figures: RunMetrics) -> list[dict[str, Any]]:
    """The test photos broken down, a table for each attribute."""
    tables = []
    for attribute, slices in groupby(figures.slices, key=lambda one: one.attribute):
        rows = []
        for one in slices:
            rest = percent(one.correct_rest / one.n_rest)
            last = _("{share}; worse than the rest").format(share=rest) if one.is_worse else rest
            rows.append(_share_row(one.value, one.correct, one.n_test, last))
        head = [attribute, _("right"), "", _("95 % range"), _("right of the others")]
        tables.append({"caption": "", "head": head, "rows": rows})
    return tables


def _examples(case: _Case) -> list[tuple[str, list[dict[str, str]]]] | None:
    """Titled rows of pictures."""
    if case.dataset is None or not case.n_test:
        return None
    wrong = case.answers[~case.answers["correct"]].sort_values("confidence", ascending=False)
    right = case.answers[case.answers["correct"]].sort_values("confidence", ascending=False)
    if len(right) > MOST_EXAMPLES:  # evenly spaced by confidence
        step = (len(right) - 1) / (MOST_EXAMPLES - 1)
        right = right.iloc[[round(place * step) for place in range(MOST_EXAMPLES)]]
    titled = (
        (_("Wrong answers, the most confident first"), wrong.head(MOST_EXAMPLES)),
        (_("Right answers, from the most to the least confident"), right),
    )
    return [
        (title, [one for row in rows.to_dict("records") for one in _answer_picture(case, row)])
        for title, rows in titled
    ]


def _answer_picture(case: _Case, row: Mapping[Any, Any]) -> list[dict[str, str]]:
    sure = certainty(row["confidence"])
    if row["correct"]:
        caption = {"before": "✓ ", "bold": row["truth"], "after": f" {sure}"}
    else:
        said = _("said {label} ({sure}), really {truth}").format(
            label=row["label"], sure=sure, truth=row["truth"]
        )
        caption = {"before": f"✗ {said}"}
    return _pictures(case, row["path"], row["file"], **caption)


def _pictures(
    case: _Case, path: str, file: str, *, before: str = "", bold: str = "", after: str = ""
) -> list[dict[str, str]]:
    """A picture with its caption; none where it cannot be made."""
    assert case.dataset is not None
    try:
        content = case.dataset.thumbnail(path, side=PICTURE_SIDE).read_bytes()
    except (PhotoError, OSError):
        return []
    picture = {
        "jpeg": base64.b64encode(content).decode("ascii"),
        "alt": _("Photo {file}").format(file=Path(file).name),
    }
    return [picture | {"before": before, "bold": bold, "after": after}]


def _confidence(case: _Case) -> dict[str, Any] | None:
    """Calibration, confidence threshold and out-of-distribution detection."""
    if case.answers.empty:
        return None
    said = [
        model_card_text.calibration_sentence(case.metrics.calibration),
        _trade_words(case, case.answers),
    ]
    unlike = case.metrics.unlike
    if unlike is not None and unlike.threshold is not None:
        said += model_card_text.unlike_sentence(unlike).split("\n\n")
    if case.metrics.tested_on_known_scenes:
        return {"sentences": said, "drawing": ""}
    confidence = case.answers["confidence"].to_numpy(float)
    right = case.answers["correct"].to_numpy(bool)
    bins = reliability_bins(confidence, right, bins=min(10, max(3, len(right) // 12)))
    chart = report_charts.reliability(bins, words=_("How often answers were right, by confidence"))
    return {"sentences": said, "drawing": chart}


def _trade_words(case: _Case, answers: pd.DataFrame) -> str:
    """The confidence threshold and its effect on the test photos of a task."""
    sure_from = read_threshold(case.run.folder).sure_from
    confidence, right = answers["confidence"].to_numpy(float), answers["correct"].to_numpy(bool)
    words = _("Below {share} it says “not sure”.").format(share=percent(sure_from))
    effect = threshold_effect(confidence, right, sure_from)
    share = not case.metrics.tested_on_known_scenes
    return f"{words} {model_card_text.trade_sentence(effect, share=share)}"


def _task(case: _Case, task: TaskMetrics) -> dict[str, Any]:
    """A further task: accuracy, confusion matrix, and classes."""
    title = _("Task: {task}").format(task=task.name)
    learned = _("{n:,} of the training photos carry such a label.").format(n=task.n_train)
    if not task.n_test:
        words = _("No test photo carries such a label, so nothing is known of how well it works.")
        return {"title": title, "learned": learned, "sentence": words, "confusion": None}
    low, high = task.test_interval
    if task.test_accuracy is None:
        words = _("Right on {correct:,} of {n:,} test photos.").format(
            correct=task.test_correct, n=task.n_test
        )
    else:
        words = _(
            "Right on {correct:,} of {n:,} new photos ({share}; 95 % confidence interval: "
            "{interval}). Guessing would be right on {guess}."
        ).format(
            correct=task.test_correct,
            n=task.n_test,
            share=percent(task.accuracy),
            interval=percent_range(low, high),
            guess=percent(task.guessing),
        )
        if low <= task.guessing:
            words += " " + _("That may be no better than guessing.")
    answers = read_task_predictions(case.run, task.name)
    said = [model_card_text.calibration_sentence(task.calibration)]
    if not answers.empty:
        said.append(_trade_words(case, answers))
    return {
        "title": title,
        "learned": learned,
        "sentence": words,
        "confusion": _confusion(task),
        "classes": _classes_table(task),
        "confidence": said,
    }


def _learning(case: _Case) -> dict[str, Any] | None:
    epochs = case.run.epochs()
    if not epochs:
        return None
    text = _(
        "Dotted: training photos. Solid: validation photos. When dotted goes on getting better "
        "and solid does not, the model is overfitting (learning by heart)."
    )
    seconds = case.metrics.seconds.total
    took = _("{n} rounds").format(n=len(epochs))
    if seconds:
        took = _("{n} rounds; the whole training took {seconds:.0f} s on {device}.").format(
            n=len(epochs), seconds=seconds, device=case.metrics.device
        )
    curves = [report_charts.curves(epochs, metric=metric) for metric in ("accuracy", "loss")]
    return {"reading": text, "took": took, "curves": curves}


def _method(case: _Case) -> list[str]:
    settings = case.run.config.settings
    parts = case.parts
    given = parts is not None and ((parts["split"] == "test") & (parts["part"] == "test")).any()
    return [
        _("The source of the photos says which are for the test.")
        if given
        else _(
            "The test photos were drawn at random ({share} of each class, seed {seed}); copies "
            "and near-copies of a photo stay in the same part."
        ).format(share=percent(settings.test_share), seed=settings.seed),
        _(
            "The test photos were held out from training and model selection and used once, at "
            "the end."
        ),
        _("Ranges are 95 % confidence intervals (Wilson's score interval)."),
        _("“Guessing” always answers the class with most training photos."),
        _(
            "The saved model was loaded afresh and compared with the measured one: probabilities "
            "differ by {difference} at most."
        ).format(difference=percent(case.metrics.parity_max_diff or 0.0, 2)),
    ]


def _settings(case: _Case) -> dict[str, Any]:
    metrics, settings = case.metrics, case.run.config.settings
    row = backbones.BACKBONES.get(metrics.backbone)
    facts: list[list[Any]] = [
        [_("Backbone"), _backbone_title(metrics)],
        [
            _("Layers frozen"),
            _("{n} of {all}").format(n=metrics.frozen_layers, all=metrics.total_layers),
        ],
        [_("Trainable weights"), number(metrics.trainable_weights, ",")],
        [_("Photos as the network sees them"), f"{metrics.image_size} × {metrics.image_size}"],
        [_("Size of the model"), f"{number(metrics.model_bytes / 1e6, '.1f')} MB"],
    ]
    if row is not None:
        facts.append([_("Licence of the backbone's weights"), row.licence])
    changed = settings.changed()
    for name, value in settings.model_dump().items():
        if name == "backbone" or value == "":
            continue
        mark = " ●" if name in changed else ""
        title = _(setting_fields()[name].title or name) + mark
        facts.append([title, _value_words(value)])
    facts += [[name, text] for name, text in _versions(case.run).items()]
    return _values_table(
        _("● differs from the default."), [_("what"), _("value")], facts, numbers=False
    )


def _value_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _versions(run: Run) -> dict[str, str]:
    """Versions of packages and photos of the run, as far as they are recorded."""
    found = {_("Version of {name}").format(name=n): v for n, v in run.config.versions.items()}
    try:
        with zipfile.ZipFile(run.model_path) as archive:
            written = json.load(io.TextIOWrapper(archive.open("metadata.json"), encoding="utf-8"))
        found[_("Version of {name}").format(name="Keras")] = str(written["keras_version"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # an older file may not have it
    found[_("Photos (fingerprint)")] = run.config.fingerprint or "–"
    return found


def _footer(case: _Case) -> str:
    return _("Report of the training {run}, written by TransLearn {version} on {when}.").format(
        run=case.run.id, version=__version__, when=stamp(datetime.now())
    )

"""A report of a run: one HTML file that holds everything and asks for nothing else.

Owns: what is said of a run to somebody who was not there, in plain words (a model card, after
Mitchell et al., 2019): result, photos, mistakes, learning, settings, limits, how it was measured.
Leaves to others: how it looks (`report_page.py`), the charts (`report_charts.py`), sentences on
confidence and limits (`testimony.py`), every figure (`artefacts.py`, `metrics.py`).

The file has no script and its content security policy forbids every request; pictures are
inside as `data:` addresses. It prints on A4 and follows the reader's choice of light or dark.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from translearn_core import __version__, backbones, report_charts, report_page, testimony
from translearn_core.calibration import reliability_of
from translearn_core.config import setting_fields
from translearn_core.datasets import Dataset
from translearn_core.decision import read_decision, trade_at
from translearn_core.errors import PhotoError, RunError, SourceError, StorageError
from translearn_core.files import write_atomically
from translearn_core.metrics import wilson_interval
from translearn_core.notes import Notes, name_of, read_notes
from translearn_core.parts import parts_of, read_answers, read_task_answers
from translearn_core.runs import Run
from translearn_core.texts import _, ngettext

MOST_EXAMPLES = 12
"""Photos named right, and photos named wrong, that a report shows at most."""
MOST_CLASS_PICTURES = 24
PICTURE_SIDE = 176


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What a report is written from. Without the photos `dataset` is None."""

    run: Run
    metrics: Mapping[str, Any]
    answers: pd.DataFrame
    notes: Notes
    dataset: Dataset | None
    parts: pd.DataFrame | None
    gone: str
    """Why there are no photos."""

    @property
    def classes(self) -> list[str]:
        return list(self.metrics["classes"])

    @property
    def tasks(self) -> list[Mapping[str, Any]]:
        """The figures of each task, the first one first; none where there is one only."""
        found = self.metrics.get("tasks") or []
        return list(found) if len(found) > 1 else []

    @property
    def n_test(self) -> int:
        return int(self.metrics["n_test"])


def report_html(run: Run) -> str:
    """The report of a run as one HTML text.

    Raises:
        RunError: the run has no figures.
    """
    case = _read_case(run)
    sections = [
        _head(case),
        _photos_section(case),
        _mistakes_section(case),
        _classes_section(case),
        _examples_section(case),
        _sureness_section(case),
        *(_task_section(case, task) for task in case.tasks[1:]),
        _learning_section(case),
        _limits_section(case),
        _method_section(case),
        _settings_section(case),
        _footer(case),
    ]
    return report_page.page(name_of(run), sections)


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
    if run.has_model and not run.has_result:
        raise RunError(
            _(
                "{run} was brought in from elsewhere and has never been tested here, so there is "
                "nothing to report."
            ).format(run=name_of(run))
        )
    metrics, answers = run.metrics, read_answers(run)
    dataset, table, gone = None, None, ""
    try:
        parts = parts_of(run)
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


# --- the sections ----------------------------------------------------------------------------


def _head(case: _Case) -> str:
    run = case.run
    when = datetime.fromtimestamp(run.config.created).strftime("%Y-%m-%d %H:%M")
    title = _("{name}: what a computer learned from photos").format(name=name_of(run))
    tags = "".join(f'<span class="tag">{escape(tag)}</span>' for tag in case.notes.tags)
    note = f'<p class="note">{escape(case.notes.note)}</p>' if case.notes.note else ""
    people = (
        f'<div class="by"><span>{escape(_("Made by:"))}</span>'
        f"<span>{escape(_('Date: {when}').format(when=when))}</span></div>"
    )
    return (
        f"<header><h1>{escape(title)}</h1>{_verdict(case)}"
        f"<p>{escape(_what_it_does(case))}</p>{_tasks_table(case)}"
        f"{f'<p>{tags}</p>' if tags else ''}{note}{people}"
        "</header>"
    )


def _verdict(case: _Case) -> str:
    metrics = case.metrics
    if not case.n_test:
        return f'<p class="verdict">{escape(_("No photos were left for a test."))}</p>'
    low, high = metrics["test_interval"]
    sentence = _("Right on {correct:,} of {n:,} new photos ({share:.0%}).").format(
        correct=metrics["test_correct"], n=case.n_test, share=metrics["test_accuracy"]
    )
    rest = _(
        "On other photos like these, expect between {low:.0f} and {high:.0f} of 100 (with 95 % "
        "certainty). Always answering “{majority}” would get {guess:.0f}."
    ).format(
        low=100 * low,
        high=100 * high,
        majority=metrics["majority_class"],
        guess=100 * metrics["majority_accuracy"],
    )
    picture = report_page.big_interval(
        metrics["test_accuracy"], low, high, guess=metrics["majority_accuracy"]
    )
    legend = _(
        "From 0 to 100 %: the mark is the result, the band its 95 % range, dashed is guessing."
    )
    return (
        f'<p class="verdict">{escape(sentence)}</p>{picture}'
        f'<p class="quiet">{escape(legend)}</p><p>{escape(rest)}</p>'
    )


def _what_it_does(case: _Case) -> str:
    names = case.classes
    words = _(
        "This model looks at a photo and says which of {n} classes it shows: {names}. It was made "
        "by transfer learning: a network that had already learned to see ({backbone}) was taught "
        "these classes with new photos."
    ).format(n=len(names), names=", ".join(names), backbone=_backbone_title(case.metrics))
    if not case.tasks:
        return words
    further = "; ".join(f"{one['name']} ({', '.join(one['classes'])})" for one in case.tasks[1:])
    return (
        words
        + " "
        + _(
            "That is the question “{first}”; where this report names no other, it is about this one. "
            "The same look answers more questions: {further}."
        ).format(first=case.tasks[0]["name"], further=further)
    )


def _tasks_table(case: _Case) -> str:
    """How well each question is answered; nothing where there is one only."""
    rows = [
        _share_row(
            task["name"],
            task["test_correct"],
            task["n_test"],
            testimony.percent(task["majority_accuracy"]) if task["n_test"] else "–",
            guess=task["majority_accuracy"],
        )
        for task in case.tasks
    ]
    caption = _("Question by question (tasks), on the test photos that carry such a label")
    head = [_("question"), _("right"), "", _("95 % range"), _("guessing")]
    return report_page.table_of(caption, head, rows) if rows else ""


def _share_row(name: str, correct: int, n: int, last: str, *, guess: float | None = None) -> str:
    """A row of a table: so many of so many right, as picture and range, and a value at the end."""
    low, high = wilson_interval(correct, n)
    found = _("{correct} of {n}").format(correct=correct, n=n)
    picture = report_charts.interval(correct / n, low, high, guess=guess) if n else ""
    span = f"{low:.0%} – {high:.0%}" if n else "–"
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{escape(found)}</td>'
        f'<td>{picture}</td><td class="n">{span}</td><td class="n">{escape(last)}</td></tr>'
    )


def _backbone_title(metrics: Mapping[str, Any]) -> str:
    row = backbones.BACKBONES.get(metrics["backbone"])
    return _(row.title) if row else str(metrics["backbone"])


def _photos_section(case: _Case) -> str:
    metrics = case.metrics
    total = metrics["n_train"] + metrics["n_val"] + case.n_test
    text = _(
        "{total:,} photos: {train:,} to learn from, {val:,} to watch the learning (validation), "
        "{test:,} kept aside for the test."
    ).format(total=total, train=metrics["n_train"], val=metrics["n_val"], test=case.n_test)
    left_out = metrics.get("left_out") or []
    if left_out:
        text += " " + ngettext(
            "{n} file could not be used.", "{n} files could not be used.", len(left_out)
        ).format(n=len(left_out))
    parts = [f"<h2>{escape(_('The photos'))}</h2><p>{escape(text)}</p>", _counts_table(case)]
    if case.gone:
        parts.append(f'<p class="quiet">{escape(case.gone)}</p>')
    pictures = _class_pictures(case)
    if pictures:
        parts.append(f'<div class="photos">{"".join(pictures)}</div>')
    return report_page.section(*parts)


def _counts_table(case: _Case) -> str:
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
    return report_page.table(_("Photos of each class"), head, rows)


def _class_pictures(case: _Case) -> list[str]:
    """One photo of each class, of those that were learned from where that is known."""
    if case.dataset is None:
        return []
    photos = case.dataset.photos if case.parts is None else case.parts
    found = []
    for name in case.classes[:MOST_CLASS_PICTURES]:
        of_class = photos[photos["class_name"] == name]
        if len(of_class):
            row = of_class.iloc[len(of_class) // 2]
            found.append(_figure(case, row["path"], row["file"], f"<b>{escape(name)}</b>"))
    return found


def _mistakes_section(case: _Case) -> str:
    if not case.n_test:
        return ""
    reading = _(
        "Each row holds the test photos of one class, each column an answer. The diagonal is right; "
        "everything beside it is a mistake."
    )
    return report_page.section(
        f"<h2>{escape(_('What is taken for what (confusion matrix)'))}</h2>",
        _matrix(case.metrics, reading),
        whole=True,
    )


def _matrix(figures: Mapping[str, Any], reading: str = "") -> str:
    """The confusion matrix of a task, what it says, and how to read it."""
    words = _confusion_sentence(figures["confusion"], figures["classes"])
    drawn = report_charts.matrix(figures["confusion"], figures["classes"], words=words)
    return f"<p><strong>{escape(words)}</strong> {escape(reading)}</p>{drawn}"


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


def _classes_section(case: _Case) -> str:
    if not case.n_test:
        return ""
    return report_page.section(
        f"<h2>{escape(_('Class by class'))}</h2>", _classes_table(case.metrics)
    )


def _classes_table(figures: Mapping[str, Any]) -> str:
    """How well each class of a task is found."""
    rows = []
    for one in sorted(figures["per_class"], key=lambda one: one["recall"] or 0.0):
        answered = "–"
        if one["answered"]:
            answered = _("{correct} of {n}").format(correct=one["correct"], n=one["answered"])
        rows.append(_share_row(one["name"], one["correct"], one["n_test"], answered))
    head = [
        _("class"),
        _("found (recall)"),
        "",
        _("95 % range"),
        _("right when answered (precision)"),
    ]
    return report_page.table_of(_("The hardest classes come first."), head, rows)


def _examples_section(case: _Case) -> str:
    if case.dataset is None or not case.n_test:
        return ""
    wrong = case.answers[~case.answers["correct"]].sort_values("confidence", ascending=False)
    right = case.answers[case.answers["correct"]].sort_values("confidence", ascending=False)
    if len(right) > MOST_EXAMPLES:  # from the surest to the least sure
        step = (len(right) - 1) / (MOST_EXAMPLES - 1)
        right = right.iloc[[round(place * step) for place in range(MOST_EXAMPLES)]]
    parts = [f"<h2>{escape(_('Examples from the test'))}</h2>"]
    for title, rows in (
        (_("Wrong answers, the surest first"), wrong.head(MOST_EXAMPLES)),
        (_("Right answers, from the surest to the least sure"), right),
    ):
        figures = [_answer_figure(case, row) for row in rows.to_dict("records")]
        if figures:
            parts.append(f"<h3>{escape(title)}</h3>")
            parts.append(f'<div class="photos">{"".join(figures)}</div>')
    return report_page.section(*parts)


def _answer_figure(case: _Case, row: Mapping[Any, Any]) -> str:
    sure = f"{row['confidence']:.0%}"
    if row["correct"]:
        words = f"✓ <b>{escape(row['truth'])}</b> {sure}"
    else:
        said = _("said {label} ({sure}), really {truth}").format(
            label=row["label"], sure=sure, truth=row["truth"]
        )
        words = f"✗ {escape(said)}"
    return _figure(case, row["path"], row["file"], words)


def _figure(case: _Case, path: str, file: str, words: str) -> str:
    assert case.dataset is not None
    try:
        content = case.dataset.thumbnail(path, side=PICTURE_SIDE).read_bytes()
    except (PhotoError, OSError):
        return ""
    return report_page.photo(content, file, words)


def _sureness_section(case: _Case) -> str:
    """How far its confidence can be believed, and what it refuses to answer."""
    if case.answers.empty:
        return ""
    said = [
        testimony.calibration_sentence(case.metrics.get("calibration")),
        _trade_words(case, case.answers),
    ]
    unlike = case.metrics.get("unlike")
    if unlike and unlike.get("threshold") is not None:
        said += testimony.unlike_sentence(unlike).split("\n\n")
    confidence = case.answers["confidence"].to_numpy(float)
    right = case.answers["correct"].to_numpy(bool)
    bins = reliability_of(confidence, right, bins=min(10, max(3, len(right) // 12)))
    chart = report_charts.reliability(bins, words=_("How often answers were right, by confidence"))
    words = "".join(f"<p>{report_page.bold(text)}</p>" for text in said)
    return report_page.section(
        f"<h2>{escape(_('How sure it is, and when it does not know'))}</h2>", words, chart
    )


def _trade_words(case: _Case, answers: pd.DataFrame) -> str:
    """From when on an answer is given, and what that did with the test photos of a task."""
    sure_from = read_decision(case.run.folder).sure_from
    confidence, right = answers["confidence"].to_numpy(float), answers["correct"].to_numpy(bool)
    words = _("Below {share} it says “not sure”.").format(share=testimony.percent(sure_from))
    return f"{words} {testimony.trade_sentence(trade_at(confidence, right, sure_from))}"


def _task_section(case: _Case, task: Mapping[str, Any]) -> str:
    """A further question: how well it is answered, what is taken for what, class by class."""
    title = _("Another question: {task}").format(task=task["name"])
    learned = _("{n:,} of the photos to learn from carry such a label.").format(n=task["n_train"])
    if not task["n_test"]:
        words = _("No test photo carries such a label, so nothing is known of how well it works.")
        return report_page.section(f"<h2>{escape(title)}</h2><p>{escape(f'{learned} {words}')}</p>")
    low, high = task["test_interval"]
    words = _(
        "Right on {correct:,} of {n:,} new photos ({share}). On other photos like these, expect "
        "between {low:.0f} and {high:.0f} of 100 (with 95 % certainty). Guessing would get {guess}."
    ).format(
        correct=task["test_correct"],
        n=task["n_test"],
        share=testimony.percent(task["test_accuracy"]),
        low=100 * low,
        high=100 * high,
        guess=testimony.percent(task["majority_accuracy"]),
    )
    if low <= task["majority_accuracy"]:
        words += " " + _("That may be no better than guessing.")
    answers = read_task_answers(case.run, task["name"])
    said = [testimony.calibration_sentence(task.get("calibration"))]
    if not answers.empty:
        said.append(_trade_words(case, answers))
    return report_page.section(
        f"<h2>{escape(title)}</h2><p><strong>{escape(words)}</strong> {escape(learned)}</p>",
        _matrix(task),
        _classes_table(task),
        "".join(f"<p>{report_page.bold(text)}</p>" for text in said),
    )


def _learning_section(case: _Case) -> str:
    epochs = case.run.epochs()
    if not epochs:
        return ""
    text = _(
        "Dotted: the photos it learns from. Solid: photos kept aside while it learns (validation). "
        "When dotted goes on getting better and solid does not, it is learning by heart "
        "(overfitting)."
    )
    seconds = (case.metrics.get("seconds") or {}).get("total")
    took = _("{n} rounds").format(n=len(epochs))
    if seconds:
        took = _("{n} rounds; the whole training took {seconds:.0f} s on {device}.").format(
            n=len(epochs), seconds=seconds, device=case.metrics.get("device", "")
        )
    return report_page.section(
        f"<h2>{escape(_('How it learned'))}</h2><p>{escape(text)} {escape(took)}</p>",
        f'<div class="two">{report_charts.curves(epochs, metric="accuracy")}'
        f"{report_charts.curves(epochs, metric='loss')}</div>",
        whole=True,
    )


def _limits_section(case: _Case) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in testimony.limits(case.run))
    return report_page.section(f"<h2>{escape(_('What it cannot do'))}</h2><ul>{items}</ul>")


def _method_section(case: _Case) -> str:
    settings = case.run.config.settings
    given = case.parts is not None and case.parts["split"].isin(["val", "test"]).any()
    how = [
        _("The source of the photos says which are for the test.")
        if given
        else _(
            "The test photos were drawn at random ({share:.0%} of each class, seed {seed}); copies "
            "and near-copies of a photo stay in the same part."
        ).format(share=settings.test_share, seed=settings.seed),
        _(
            "Nothing was learned or chosen by the test photos; they were looked at once, at the end."
        ),
        _(
            "Ranges are Wilson's score intervals at 95 %: with other test photos of the same kind, "
            "the figure would come out somewhere in there in 95 of 100 cases."
        ),
        _("“Guessing” always answers the class with most photos to learn from."),
        _(
            "The saved model was loaded afresh and held against the measured one: probabilities "
            "differ by at most {difference:.2%}."
        ).format(difference=case.metrics.get("parity_max_diff") or 0.0),
    ]
    items = "".join(f"<li>{escape(text)}</li>" for text in how)
    return report_page.section(f"<h2>{escape(_('How this was measured'))}</h2><ul>{items}</ul>")


def _settings_section(case: _Case) -> str:
    metrics, settings = case.metrics, case.run.config.settings
    row = backbones.BACKBONES.get(metrics["backbone"])
    facts: list[list[Any]] = [
        [_("Backbone"), _backbone_title(metrics)],
        [
            _("Layers frozen"),
            _("{n} of {all}").format(n=metrics["frozen_layers"], all=metrics["total_layers"]),
        ],
        [_("Trainable weights"), f"{metrics['trainable_weights']:,}"],
        [_("Photos as the network sees them"), "{0} × {0}".format(metrics["image_size"])],
        [_("Size of the model"), f"{metrics['model_bytes'] / 1e6:.1f} MB"],
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
    return report_page.section(
        f"<h2>{escape(_('Settings and versions'))}</h2>",
        report_page.table(
            _("● differs from the default."), [_("what"), _("value")], facts, numbers=False
        ),
    )


def _value_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _versions(run: Run) -> dict[str, str]:
    """What the run was made with, as far as it is written down."""
    found = {_("Version of {name}").format(name=n): v for n, v in run.config.versions.items()}
    try:
        with zipfile.ZipFile(run.model_path) as archive:
            written = json.load(io.TextIOWrapper(archive.open("metadata.json"), encoding="utf-8"))
        found[_("Version of {name}").format(name="Keras")] = str(written["keras_version"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        pass  # an older file may not say it; nothing else hangs on it
    found[_("Photos (fingerprint)")] = run.config.fingerprint or "–"
    return found


def _footer(case: _Case) -> str:
    text = _("Report of the training {run}, written by TransLearn {version} on {when}.").format(
        run=case.run.id, version=__version__, when=datetime.now().strftime("%Y-%m-%d %H:%M")
    )
    return f"<footer>{escape(text)}</footer>"

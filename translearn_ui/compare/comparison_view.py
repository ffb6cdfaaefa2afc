"""Several runs side by side: what `translearn_core.prediction.compare` found, as pictures, tables and photos.

Owns: the views of a comparison. A run has the same letter and colour in all of them.
Leaves to others: which runs (`pages/compare.py`), the figures (`translearn_core.prediction.compare`, imported
by the page only when runs are compared).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from translearn_core import backbones, datasets, palette
from translearn_core.datasets.file_names import natural_key
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _, ngettext, number
from translearn_core.reports.curve_geometry import curves_of
from translearn_core.run_settings import setting_fields
from translearn_ui.components import (
    charts,
    class_marks,
    format,
    gallery,
    matrix_view,
    run_text,
    setting_words,
)
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame

if TYPE_CHECKING:
    import pandas as pd

    from translearn_core.evaluation.significance import Score
    from translearn_core.prediction.compare import ComparedRun, Comparison

PER_PAGE = 12
_DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "longdashdot", "solid", "dash")


def color_of(letter: str) -> str:
    """The colour of the run with this letter."""
    return palette.class_color(ord(letter) - ord("A"))


def letter_html(letter: str) -> str:
    """The letter of a run in its colour."""
    return f'<span class="tl-letter" style="background:{color_of(letter)}">{letter}</span>'


def show_verdict(comparison: Comparison) -> None:
    """The outcome in words, what it rests on, and how to read it."""
    st.html(f'<p class="tl-say" role="status">{escape(comparison.sentence)}</p>')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(frame.plain(" ".join(comparison.remarks)), width="stretch")
        with st.popover(_("why?"), type="tertiary", key="compare_why"):
            st.markdown(
                _(
                    "Only the photos that one model gets right and the other wrong can tell them "
                    "apart. If neither were better, such photos would fall to either side like a "
                    "coin. When the split is so uneven that a fair coin would show it in fewer than "
                    "5 of 100 games, we say that chance would hardly do that (McNemar's exact "
                    "test). With several comparisons at once, the p-values are corrected "
                    "(Holm)."
                )
            )


def show_accuracy(comparison: Comparison) -> None:
    """Each run's share of right answers with its interval, where it tells of new photos."""
    if comparison.on_known_scenes:
        return
    runs = comparison.runs
    words = ", ".join(f"{one.title} {format.percent(one.accuracy)}" for one in runs)
    charts.show(
        accuracy_chart(runs),
        key="compare_accuracy",
        alt=_("Share of right answers with its 95 % range: {all}").format(all=words),
    )


def accuracy_chart(runs: tuple[ComparedRun, ...]) -> go.Figure:
    """Points with their 95 % intervals, one row a run."""
    figure = go.Figure()
    for one in runs:
        low, high = one.interval
        figure.add_scatter(
            x=[one.accuracy],
            y=[f"<b>{one.letter}</b>"],
            mode="markers+text",
            text=[format.percent(one.accuracy)],
            textposition="top center",
            marker={"size": 13, "color": color_of(one.letter)},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - one.accuracy],
                "arrayminus": [one.accuracy - low],
                "thickness": 5,
                "width": 0,
                "color": charts.with_alpha(color_of(one.letter), 0.42),
            },
            hovertemplate=_("{name}: right on {correct} of {n}").format(
                name=escape(one.title), correct=one.correct, n=one.n
            )
            + f"<br>{format.percent_range(low, high, 1)}<extra></extra>",
            showlegend=False,
        )
    lowest = min(one.interval[0] for one in runs)
    figure.update_xaxes(
        title=_("right answers (accuracy), with the 95 % range"),
        **charts.share_axis(max(0.0, int(lowest * 10) / 10 - 0.05)),
    )
    figure.update_yaxes(type="category", range=[len(runs) - 0.5, -0.8], showgrid=False)
    return charts.finished(figure, height=90 + 46 * len(runs), hovermode="closest")


def show_table(comparison: Comparison) -> None:
    """What each run cost and what it is made of."""
    head = [_("training"), _("right"), _("95 % range"), _("learned from"), _("time"), _("size")]
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    known = not comparison.on_known_scenes
    rows = "".join(_row_html(one, shares=known) for one in comparison.runs)
    st.html(
        f'<div class="tl-wide"><table class="tl-runs tl-facts-table"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row_html(one: ComparedRun, *, shares: bool) -> str:

    low, high = one.interval
    facts = one.facts
    details = [run_text.describe(one.run.config.settings), *(f"#{tag}" for tag in one.tags)]
    photos = _("{n:,} photos").format(n=facts["n_train"]) if facts.get("n_train") else "–"
    seconds, size = facts.get("seconds"), facts.get("model_bytes")
    return (
        f'<tr><th scope="row">{letter_html(one.letter)}{escape(one.name)}'
        f"<small>{escape(' · '.join(details))}</small></th>"
        f'<td class="n">{one.correct} / {one.n}</td>'
        f'<td class="n">{format.percent_range(low, high) if shares else "–"}</td>'
        f'<td class="n">{escape(photos)}</td>'
        f'<td class="n">{escape(format.duration(seconds)) if seconds else "–"}</td>'
        f'<td class="n">{escape(format.size(size)) if size else "–"}</td></tr>'
    )


def show_tasks(comparison: Comparison) -> None:
    """Each further task that all of them answer: how often each run is right on the same photos."""
    st.header(_("Label by label (multi-task)"), anchor=False)
    st.caption(
        _(
            "Further labels that all of these models predict, each on the test photos that all "
            "have in common and that carry such a label. The rest of this page is about the first."
        )
    )
    known = not comparison.on_known_scenes
    head = "".join(f'<th scope="col">{letter_html(one.letter)}</th>' for one in comparison.runs)
    rows = "".join(
        f'<tr><th scope="row">{escape(task.name)}</th>'
        + "".join(f'<td class="n">{_score_html(one, shares=known)}</td>' for one in task.runs)
        + "</tr>"
        for task in comparison.tasks
        if task.runs
    )
    if rows:
        st.html(
            f'<div class="tl-wide"><table class="tl-runs"><thead><tr><th scope="col">'
            f"{escape(_('label'))}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    for task in comparison.tasks:
        st.markdown(f"**{frame.plain(task.name)}**: {frame.plain(task.sentence)}")


def _score_html(one: Score, *, shares: bool) -> str:
    if not shares:
        return f"{one.correct} / {one.n}"
    low, high = one.interval
    return (
        f"{one.correct} / {one.n} ({format.percent(one.accuracy)})"
        f"<small>{format.percent_range(low, high)}</small>"
    )


def show_paired_tests(comparison: Comparison) -> None:
    """Each run against the reference, in a sentence."""
    for paired in comparison.significance:
        icon = ":material/trending_up:" if paired.significant else ":material/drag_handle:"
        p_value = "< 0.001" if paired.p_corrected < 0.001 else f"= {paired.p_corrected:.3f}"
        st.markdown(f"{icon} {paired.sentence} :small[:gray[p {p_value}]]")


def show_curves(comparison: Comparison) -> None:
    """The learning curves of all runs in one picture."""
    with st.container(horizontal=True, vertical_alignment="center"):
        metric = st.segmented_control(
            _("What is drawn"),
            ["accuracy", "loss"],
            format_func=lambda name: {"accuracy": _("Right answers"), "loss": _("Error (loss)")}[
                name
            ],
            default="accuracy",
            required=True,
            key="compare_metric",
            persist_state="session",
            label_visibility="collapsed",
        )
        training = st.toggle(
            _("with the training photos"), key="compare_training", persist_state="session"
        )
    figure = curves_chart(comparison.runs, metric=metric, training=training)
    charts.show(
        figure,
        key="compare_curves",
        alt=_("The learning curves of {names}").format(
            names=", ".join(one.title for one in comparison.runs)
        ),
    )
    st.caption(
        _(
            "Solid and dashed: validation photos. Trainings with other validation photos are not "
            "measured on the same ones here; those of the table above are."
        )
    )


def curves_chart(
    runs: tuple[ComparedRun, ...], *, metric: str, training: bool = False
) -> go.Figure:
    """One measure over the rounds of several runs; distinguished by colour, dash and letter."""
    figure = go.Figure()
    histories = [one.run.epochs() for one in runs]
    together = curves_of([epoch for history in histories for epoch in history], metric=metric)
    for index, (one, epochs) in enumerate(zip(runs, histories, strict=True)):
        rounds = [epoch["epoch"] for epoch in epochs]
        color = color_of(one.letter)
        if training:
            figure.add_scatter(
                x=rounds,
                y=[epoch.get(metric) for epoch in epochs],
                mode="lines",
                line={"color": color, "width": 1.2, "dash": "dot"},
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=rounds,
            y=[epoch.get(f"val_{metric}") for epoch in epochs],
            mode="lines+markers" if len(rounds) == 1 else "lines",
            name=one.title,
            line={"color": color, "width": 2.5, "dash": _DASHES[index % len(_DASHES)]},
            customdata=[_value_text(epoch.get(f"val_{metric}"), metric) for epoch in epochs],
            hovertemplate=f"{one.letter}, " + _("round %{x}") + ": %{customdata}<extra></extra>",
        )
    figure.update_xaxes(title=_("round (epoch)"), **charts.axis(together.x, "{:.0f}".format))
    figure.update_yaxes(
        title=together.title, automargin=True, **charts.axis(together.y, together.value_text)
    )
    return charts.finished(figure, height=360, hovermode="closest", legend=charts.LEGEND_ABOVE)


def _value_text(value: float | None, metric: str) -> str:
    """A value of a measure when it is pointed at."""
    if value is None:
        return ""
    return format.percent(value, 1) if metric == "accuracy" else number(value, ".3f")


def show_settings(comparison: Comparison) -> None:
    """The settings that are not the same in all runs."""
    if not comparison.settings:
        st.caption(_("All were made with the same settings."))
        return
    fields = setting_fields()
    letters = [one.letter for one in comparison.runs]
    head = "".join(f'<th scope="col">{letter_html(letter)}</th>' for letter in letters)
    rows = "".join(
        f'<tr><th scope="row">{escape(_(fields[name].title or name))}</th>'
        + "".join(f"<td>{escape(_words(name, values[letter]))}</td>" for letter in letters)
        + "</tr>"
        for name, values in comparison.settings.items()
    )
    st.html(
        f'<div class="tl-wide"><table class="tl-runs"><thead><tr><th scope="col">'
        f"{escape(_('setting'))}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _words(name: str, value: Any) -> str:
    if name == "backbone":
        row = backbones.BACKBONES.get(value)
        return _(row.title) if row else str(value)
    return str(setting_words.words_for(name, value) or "–")


def show_matrices(comparison: Comparison) -> None:
    """The confusion matrix of each run over the photos that all have in common."""
    photos = comparison.photos
    labels = [f"label_{index}" for index in range(len(comparison.runs))]
    names = sorted({*photos["truth"], *photos[labels].to_numpy().ravel()}, key=natural_key)
    at = {name: place for place, name in enumerate(names)}
    places = class_marks.of_classes(comparison.runs[0].run.config.dataset, names)
    with st.grid(min_column_width=360, gap="medium") as grid:
        for one, label in zip(comparison.runs, labels, strict=True):
            counts = np.zeros((len(names), len(names)), int)
            np.add.at(counts, (photos["truth"].map(at), photos[label].map(at)), 1)
            with grid.cell():
                st.html(f'<p class="tl-run-name">{letter_html(one.letter)}{escape(one.name)}</p>')
                matrix_view.show(
                    counts.tolist(), names, places=places, key=f"compare_matrix_{one.letter}"
                )


# --- the photos on which they disagree ---------------------------------------------------------


def show_disagreements(comparison: Comparison) -> None:
    """Photos that are not answered alike, chosen by who is right."""
    groups = disagreement_groups(comparison)
    total = len(comparison.disagreements())
    if not total:
        st.info(_("They give the same answer to every photo."), icon=":material/check_circle:")
        return
    names = [name for name, rows in groups.items() if len(rows)]
    chosen = st.pills(
        _("Which photos"),
        names,
        format_func=lambda name: f"{_group_words(name)} · {len(groups[name])}",
        default=names[0],
        required=True,
        key=f"compare_group_{'_'.join(names)}",
    )
    rows = groups[chosen]
    part, place = page_of(len(rows), PER_PAGE, key=f"compare_page_{chosen}")
    shown = rows.iloc[part]
    with place, st.container(key="gallery_compare"), st.grid(min_column_width=160) as grid:
        for row in shown.to_dict("records"):
            with grid.cell():
                _show_photo(comparison, row)


def disagreement_groups(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """The photos that are not answered alike: `only_<letter>` right, `some` right, `none` right."""
    rows = comparison.disagreements()
    letters = [one.letter for one in comparison.runs]
    right = rows[[f"correct_{index}" for index in range(len(letters))]].to_numpy(dtype=bool)
    counts = right.sum(axis=1)
    groups = {
        f"only_{letter}": rows[(counts == 1) & right[:, index]]
        for index, letter in enumerate(letters)
    }
    if len(letters) > 2:
        groups["some"] = rows[counts > 1]
    return groups | {"none": rows[counts == 0]}


def _group_words(name: str) -> str:
    if name == "some":
        return _("Several right")
    if name == "none":
        return _("All wrong, in different ways")
    return _("Only {letter} right").format(letter=name.removeprefix("only_"))


def _show_photo(comparison: Comparison, row: Mapping[Any, Any]) -> None:
    try:
        thumbnail = datasets.open_dataset(Path(row["dataset"])).thumbnail(row["path"])
        gallery.show_photo(thumbnail, file=row["file"], class_name=row["truth"])
    except (TransLearnError, OSError):
        st.caption(_("{file} can no longer be read.").format(file=frame.plain(row["file"])))
    lines = [f"**{frame.plain(row['truth'])}**"]
    for index, one in enumerate(comparison.runs):
        right = row[f"correct_{index}"]
        mark = ":green[✓]" if right else ":red[✗]"
        label = frame.plain(row[f"label_{index}"])
        lines.append(f"{one.letter} {mark} {label} {format.percent(row[f'confidence_{index}'])}")
    st.caption("  \n".join(lines))


def summary(comparison: Comparison) -> str:
    """How many photos are not answered alike."""
    n = len(comparison.disagreements())
    return ngettext(
        "On {n} of {all} photos their answers differ.",
        "On {n} of {all} photos their answers differ.",
        n,
    ).format(n=n, all=len(comparison.photos))

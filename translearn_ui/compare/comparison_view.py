"""Several runs side by side: what `translearn_core.compare` found, as pictures, tables and photos.

Owns: the views of a comparison. A run has the same letter and colour in all of them.
Leaves to others: which runs (`pages/compare.py`), the figures (`translearn_core.compare`, imported
by the page only when runs are compared).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st

from translearn_core.config import setting_fields
from translearn_core.errors import TransLearnError
from translearn_core.texts import _, ngettext
from translearn_ui.components import background_tasks, charts
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame
from translearn_ui.training import settings_form

if TYPE_CHECKING:
    import pandas as pd

    from translearn_core.compare import Comparison, Contestant
    from translearn_core.duels import Score

PER_PAGE = 12
_DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "longdashdot", "solid", "dash")
_GRID = "rgba(128,128,128,0.22)"

STYLE = """
<style>
.tl-say {font-size: clamp(1.3rem, 2.6vw, 1.75rem); line-height: 1.25; font-weight: 640;
  letter-spacing: -.012em; margin: .3rem 0 .3rem; text-wrap: balance;}
.tl-runs {width: 100%; border-collapse: collapse; font-size: .95rem;}
.tl-runs td, .tl-runs th {padding: .45rem .9rem .45rem 0; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent);}
.tl-runs thead th {font-weight: 500; opacity: .7; font-size: .84rem;}
.tl-runs tbody th {font-weight: 600;}
.tl-runs .n {font-variant-numeric: tabular-nums; white-space: nowrap;}
.tl-runs small {opacity: .7; font-size: .84rem; font-weight: 400; display: block;}
.tl-letter {display: inline-flex; align-items: center; justify-content: center; width: 1.45rem;
  height: 1.45rem; border-radius: .4rem; color: white; font-size: .82rem; font-weight: 700;
  margin-right: .5rem; flex: none; text-shadow: 0 0 3px rgba(0,0,0,.45);}
.tl-wide {overflow-x: auto;}
.tl-runs thead th:has(.tl-letter) {opacity: 1;}
@media (max-width: 640px) {.tl-facts-table :is(th, td):is(:nth-child(4), :nth-child(6)) {display: none;}}
</style>
"""


def color_of(letter: str) -> str:
    """The colour of the run with this letter."""
    return charts.class_color(ord(letter) - ord("A"))


def letter_html(letter: str) -> str:
    """The letter of a run in its colour."""
    return f'<span class="tl-letter" style="background:{color_of(letter)}">{letter}</span>'


def show_verdict(comparison: Comparison) -> None:
    """The outcome in words, what it rests on, and how to read it."""
    st.html(STYLE)
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
                    "test). With several comparisons at once, luck has more tries; the bar is "
                    "raised accordingly (Holm's correction)."
                )
            )


def show_accuracy(comparison: Comparison) -> None:
    """Each run's share of right answers with its interval."""
    runs = comparison.runs
    words = ", ".join(f"{one.title} {charts.percent(one.accuracy)}" for one in runs)
    charts.show(
        accuracy_chart(runs),
        key="compare_accuracy",
        alt=_("Share of right answers with its 95 % range: {all}").format(all=words),
    )


def accuracy_chart(runs: tuple[Contestant, ...]) -> go.Figure:
    """Points with their 95 % intervals, one row a run."""
    figure = go.Figure()
    for one in runs:
        low, high = one.interval
        figure.add_scatter(
            x=[one.accuracy],
            y=[f"<b>{one.letter}</b>"],
            mode="markers+text",
            text=[charts.percent(one.accuracy)],
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
            + f"<br>{low:.1%} – {high:.1%}<extra></extra>",
            showlegend=False,
        )
    lowest = min(one.interval[0] for one in runs)
    figure.update_xaxes(
        title=_("right answers (accuracy), with the 95 % range"),
        range=[max(0.0, int(lowest * 10) / 10 - 0.05), 1.02],
        tickformat=".0%",
        gridcolor=_GRID,
        zeroline=False,
    )
    figure.update_yaxes(type="category", range=[len(runs) - 0.5, -0.8], showgrid=False)
    return charts.finished(figure, height=90 + 46 * len(runs), hovermode="closest")


def show_table(comparison: Comparison) -> None:
    """What each run cost and what it is made of."""
    head = [_("training"), _("right"), _("95 % range"), _("learned from"), _("time"), _("size")]
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    rows = "".join(_row_html(one) for one in comparison.runs)
    st.html(
        f'<div class="tl-wide"><table class="tl-runs tl-facts-table"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row_html(one: Contestant) -> str:
    from translearn_ui.training import live

    low, high = one.interval
    facts = one.facts
    details = [live.describe(one.run.config.settings), *(f"#{tag}" for tag in one.tags)]
    photos = _("{n:,} photos").format(n=facts["n_train"]) if facts.get("n_train") else "–"
    seconds, size = facts.get("seconds"), facts.get("model_bytes")
    return (
        f'<tr><th scope="row">{letter_html(one.letter)}{escape(one.name)}'
        f"<small>{escape(' · '.join(details))}</small></th>"
        f'<td class="n">{one.correct} / {one.n}</td>'
        f'<td class="n">{low:.0%} – {high:.0%}</td>'
        f'<td class="n">{escape(photos)}</td>'
        f'<td class="n">{escape(background_tasks.duration(seconds)) if seconds else "–"}</td>'
        f'<td class="n">{escape(frame.size(size)) if size else "–"}</td></tr>'
    )


def show_tasks(comparison: Comparison) -> None:
    """Each further task that all of them answer: how often each run is right on the same photos."""
    st.subheader(_("Question by question (tasks)"), anchor=False)
    st.caption(
        _(
            "Further questions that all of these trainings answer, each on the test photos that all "
            "have in common and that carry such a label. The rest of this page is about the first."
        )
    )
    head = "".join(f'<th scope="col">{letter_html(one.letter)}</th>' for one in comparison.runs)
    rows = "".join(
        f'<tr><th scope="row">{escape(task.name)}</th>'
        + "".join(f'<td class="n">{_score_html(one)}</td>' for one in task.runs)
        + "</tr>"
        for task in comparison.tasks
        if task.runs
    )
    if rows:
        st.html(
            f'<div class="tl-wide"><table class="tl-runs"><thead><tr><th scope="col">'
            f"{escape(_('question'))}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
    for task in comparison.tasks:
        st.markdown(f"**{frame.plain(task.name)}**: {frame.plain(task.sentence)}")


def _score_html(one: Score) -> str:
    low, high = one.interval
    return (
        f"{one.correct} / {one.n} ({charts.percent(one.accuracy)})"
        f"<small>{low:.0%} – {high:.0%}</small>"
    )


def show_duels(comparison: Comparison) -> None:
    """Each run against the reference, in a sentence."""
    for duel in comparison.duels:
        icon = ":material/trending_up:" if duel.shown else ":material/drag_handle:"
        p_value = "< 0.001" if duel.p_corrected < 0.001 else f"= {duel.p_corrected:.3f}"
        st.markdown(f"{icon} {duel.sentence} :small[:gray[p {p_value}]]")


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
            "Solid and dashed: photos kept aside while learning (validation). Trainings with other "
            "validation photos are not judged by the same ones here; the table above is."
        )
    )


def curves_chart(runs: tuple[Contestant, ...], *, metric: str, training: bool = False) -> go.Figure:
    """One measure over the rounds of several runs; told apart by colour, dash and letter."""
    figure = go.Figure()
    for place, one in enumerate(runs):
        epochs = one.run.epochs()
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
            line={"color": color, "width": 2.5, "dash": _DASHES[place % len(_DASHES)]},
            hovertemplate=f"{one.letter}, "
            + _("round %{x}")
            + (": %{y:.1%}" if metric == "accuracy" else ": %{y:.3f}")
            + "<extra></extra>",
        )
    figure.update_xaxes(title=_("round (epoch)"), tickformat="d", gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    if metric == "accuracy":
        figure.update_yaxes(tickformat=".0%", title=_("right answers (accuracy)"))
    else:
        figure.update_yaxes(rangemode="tozero", title=_("error (loss)"))
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None}
    )
    return charts.finished(figure, height=360, hovermode="closest")


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
        from translearn_core import backbones

        row = backbones.BACKBONES.get(value)
        return _(row.title) if row else str(value)
    return str(settings_form.words_for(name, value) or "–")


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
    right = rows[[f"correct_{place}" for place in range(len(letters))]].to_numpy(dtype=bool)
    counts = right.sum(axis=1)
    groups = {
        f"only_{letter}": rows[(counts == 1) & right[:, place]]
        for place, letter in enumerate(letters)
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
    from translearn_core import datasets
    from translearn_ui.components import gallery

    try:
        thumbnail = datasets.open_dataset(Path(row["dataset"])).thumbnail(row["path"])
        gallery.show_photo(thumbnail, file=row["file"], class_name=row["truth"])
    except (TransLearnError, OSError):
        st.caption(_("{file} can no longer be read.").format(file=frame.plain(row["file"])))
    lines = [f"**{frame.plain(row['truth'])}**"]
    for place, one in enumerate(comparison.runs):
        right = row[f"correct_{place}"]
        mark = ":green[✓]" if right else ":red[✗]"
        label = frame.plain(row[f"label_{place}"])
        lines.append(f"{one.letter} {mark} {label} {charts.percent(row[f'confidence_{place}'])}")
    st.caption("  \n".join(lines))


def summary(comparison: Comparison) -> str:
    """How many photos are not answered alike."""
    n = len(comparison.disagreements())
    return ngettext(
        "On {n} of {all} photos their answers differ.",
        "On {n} of {all} photos their answers differ.",
        n,
    ).format(n=n, all=len(comparison.photos))

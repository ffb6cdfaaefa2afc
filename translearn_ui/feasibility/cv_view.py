"""What the verdict rests on: what is mixed up, what more photos would bring, every figure.

Owns: these three parts of the page. Leaves to others: the verdict itself (`verdict_view.py`), what
the checks found (`findings_view.py`), the map (`photo_map.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from translearn_core import backbones, palette
from translearn_core.datasets import Dataset
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.properties import PROPERTIES
from translearn_core.feasibility.report import ConfusedPair, Report
from translearn_core.i18n import _, ngettext
from translearn_ui.components import charts, format
from translearn_ui.feasibility import findings_view, photo_actions
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translearn_ui.feasibility.findings_view import Row

MOST_SHOWN = 12
_PAIR = "feasible_pair"


# --- what is mixed up ----------------------------------------------------------------------------


def show_mixups(dataset: Dataset, report: Report, assessed: pd.DataFrame) -> None:
    """Pairs of classes that are mixed up, with the photos, and the whole matrix."""
    if not report.mixups:
        st.success(_("It mixed up nothing."), icon=":material/check_circle:")
    else:
        _show_pairs(dataset, report.mixups, assessed)
    left, right = st.columns([1.25, 1], gap="medium")
    with left:
        st.header(_("All answers"), anchor=False)
        charts.show(
            charts.confusion_matrix(report.confusion, report.classes),
            key="feasible_matrix",
            alt=charts.confusion_sentence(report.confusion, report.classes),
        )
    with right:
        st.header(_("Class by class"), anchor=False)
        _show_classes(report)


def _show_pairs(dataset: Dataset, mixups: Sequence[ConfusedPair], assessed: pd.DataFrame) -> None:
    by_name = {f"{pair.truth}\0{pair.answer}": pair for pair in mixups}
    if st.session_state.get(_PAIR) not in by_name:
        st.session_state[_PAIR] = next(iter(by_name))

    def label(name: str) -> str:
        pair = by_name[name]
        return f"{frame.plain(pair.truth)} → {frame.plain(pair.answer)} · {pair.n:,}"

    chosen = st.pills(
        _("Which classes were mixed up: truth → answer"),
        list(by_name),
        format_func=label,
        required=True,
        key=_PAIR,
        persist_state="session",
    )
    pair = by_name[str(chosen)]
    st.markdown(
        ngettext(
            "**{n:,}** photo of **{truth}** was taken for **{answer}**: {share} of the class.",
            "**{n:,}** photos of **{truth}** were taken for **{answer}**: {share} of the class.",
            pair.n,
        ).format(
            n=pair.n,
            truth=frame.plain(pair.truth),
            answer=frame.plain(pair.answer),
            share=format.percent(pair.share),
        )
    )
    rows = findings_view.rows_of(dataset)
    known = assessed.set_index("path")["p_given"]
    paths = [path for path in pair.paths if path in rows and path in known.index]
    paths.sort(key=lambda path: float(known[path]))
    _show_mixed_up(dataset, pair, paths[:MOST_SHOWN], rows)
    more = pair.n - len(paths[:MOST_SHOWN])
    if more > 0 and paths:
        st.caption(_("and {n:,} more; the map shows them all").format(n=more))


def _show_mixed_up(
    dataset: Dataset, pair: ConfusedPair, paths: Sequence[str], rows: Mapping[str, Row]
) -> None:
    pictures = photo_actions.thumbnails(dataset, paths)
    with st.grid(min_column_width=150, gap="small") as grid:
        for path in paths:
            with grid.cell(), st.container(key=f"card_mixup_{path}"):
                photo_actions.show_thumbnail(rows[path], pictures[path])
                moved = str(rows[path]["class_name"]) != pair.truth
                if moved:
                    name = frame.plain(str(rows[path]["class_name"]))
                    st.caption(_(":material/check: now in {name}").format(name=name))
                photo_actions.show_menu(dataset, rows[path], key="mixup")


def _show_classes(report: Report) -> None:
    """Of each class, how many of its photos are recognised; the weakest first."""
    ranked = sorted(report.per_class, key=lambda one: one.recall)
    table = pd.DataFrame(
        {
            "name": [one.name for one in ranked],
            "recall": [100 * one.recall for one in ranked],
            "span": [format.percent_range(*one.interval) for one in ranked],
            "n": [one.n for one in ranked],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "name": _("Class"),
            "recall": st.column_config.ProgressColumn(
                _("Recognised"), min_value=0, max_value=100, format="%.0f %%"
            ),
            "span": _("between"),
            "n": st.column_config.NumberColumn(_("Photos"), format="localized"),
        },
        key="feasible_classes",
        alt=_("Of each class the share of its photos that is recognised, with its 95 % interval"),
    )


# --- what more photos would bring ------------------------------------------------------------------


def show_curve(report: Report) -> None:
    """The learning curve, the forecast in words and as a picture, and how good it was before."""
    st.header(_("What more photos would bring"), anchor=False)
    ahead = report.forecast
    if ahead is None:
        st.info(
            _(
                "There are too few photos to tell what more of them would bring. With about 20 of "
                "each class it can be told."
            ),
            icon=":material/info:",
        )
    else:
        st.markdown(
            _(
                "Twice as many photos ({n:,}) would give about **{share}** (95 % interval: {range})."
            ).format(
                n=ahead.n,
                share=format.percent(ahead.accuracy),
                range=format.percent_range(ahead.low, ahead.high),
            )
        )
    charts.show(curve(report), key="feasible_curve", alt=_curve_words(report))
    if ahead is not None:
        st.caption(_past_words(ahead.past_error))


def _past_words(error: float | None) -> str:
    """How far off the same forecast was when it was made from half of the photos."""
    if error is None:
        return _("Whether such a forecast holds could not be tried with so few photos.")
    points = 100 * abs(error)
    if points < 0.5:
        return _(
            "Made from half of these photos, the same forecast met what they all reached to half a "
            "point."
        )
    words = (
        _("Made from half of these photos, the same forecast was {points:.1f} points too high.")
        if error > 0
        else _("Made from half of these photos, the same forecast was {points:.1f} points too low.")
    )
    return words.format(points=points)


def _curve_words(report: Report) -> str:
    parts = [
        _("{share} with {n:,} photos").format(share=format.percent(point.accuracy), n=point.n)
        for point in report.learning_curve
    ]
    return _("Accuracy by the number of photos learned from: {points}.").format(
        points=", ".join(parts)
    )


def curve(report: Report) -> go.Figure:
    """Accuracy by the number of photos learned from, each step twice the last, and the forecast."""
    points = report.learning_curve
    figure = go.Figure()
    figure.add_scatter(
        x=[point.n for point in points],
        y=[point.accuracy for point in points],
        mode="lines+markers",
        name=_("measured"),
        line={"color": palette.VALIDATION_COLOR, "width": 2.5},
        marker={"size": 9},
        customdata=[format.percent(point.accuracy, 1) for point in points],
        hovertemplate=_("%{x:,} photos: %{customdata}") + "<extra></extra>",
    )
    ahead, last = report.forecast, points[-1] if points else None
    if ahead is not None and last is not None:
        figure.add_scatter(
            x=[last.n, ahead.n],
            y=[last.accuracy, ahead.accuracy],
            mode="lines+markers",
            name=_("forecast"),
            line={"color": palette.ACCENT_COLOR, "width": 2.5, "dash": "dash"},
            marker={"size": [0, 11], "symbol": "diamond"},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [0, ahead.high - ahead.accuracy],
                "arrayminus": [0, ahead.accuracy - ahead.low],
                "color": palette.ACCENT_COLOR,
                "thickness": 2,
                "width": 7,
            },
            customdata=[format.percent(share, 1) for share in (last.accuracy, ahead.accuracy)],
            hovertemplate=_("%{x:,} photos: about %{customdata}") + "<extra></extra>",
        )
    guess = report.majority_accuracy
    figure.add_hline(
        y=guess,
        line={"color": palette.QUIET_COLOR, "dash": "dot", "width": 1.5},
        annotation={"text": _("guessing"), "font": {"color": palette.QUIET_COLOR}},
        annotation_position="bottom left",
    )
    sizes = [point.n for point in points] + ([ahead.n] if ahead else [])
    figure.update_xaxes(
        title=_("photos learned from"),
        type="log",
        tickvals=sizes,
        ticktext=[f"{n:,}" for n in sizes],
        gridcolor=charts.GRID_COLOR,
        zeroline=False,
    )
    figure.update_yaxes(
        title=_("right answers (accuracy)"), automargin=True, **charts.share_axis(room=0.03)
    )
    return charts.finished(figure, height=306, legend=charts.LEGEND_ABOVE)


# --- every figure ----------------------------------------------------------------------------------


def show_figures(dataset: Dataset, report: Report) -> None:
    """Everything that was measured, and the report to take along."""
    titles = {row.name: row.title for row in PROPERTIES}
    rows = [
        (_("accuracy on photos not learned from"), _share(report.accuracy, report.interval)),
        (_("each class counted alike"), _share(report.mean_recall)),
        (
            _("naive random split (near-duplicates on both sides)"),
            _share(report.random_split_accuracy),
        ),
        (_("guessing the largest class"), _share(report.majority_accuracy)),
        (_("shuffled labels (chance)"), _share(report.shuffled_accuracy)),
        (_("colour and size alone (trivial features)"), _share(report.trivial_accuracy)),
        *(
            ("– " + _(titles.get(name, name)), _share(share))
            for name, share in sorted(report.trivial.items(), key=lambda item: -item[1])
        ),
        (_("photos that can be read"), f"{report.n_photos:,}"),
        (_("of these cross-validated"), f"{report.n_judged:,}"),
        (_("groups (copies and bursts count once)"), f"{report.n_groups:,}"),
        (
            _("repeats and folds"),
            _("{repeats} times {folds}").format(repeats=report.repeats, folds=report.folds),
        ),
        (_("looked at by"), backbones.get_backbone(report.backbone).title),
        (_("took"), format.duration(report.seconds)),
        (_("made"), format.stamp(report.created)),
    ]
    if report.given_test is not None:
        given = report.given_test
        rows.insert(1, (_("on the given test photos"), _share(given.accuracy, given.interval)))
    st.dataframe(
        pd.DataFrame(rows, columns=["what", "figure"]),
        hide_index=True,
        height="content",
        column_config={"what": _("What"), "figure": _("Figure")},
        key="feasible_figures",
        alt=_("Every figure of the check"),
    )
    path = check_report.folder_of(dataset) / "report.json"
    st.download_button(
        _("The report as a file (JSON)"),
        path.read_bytes(),
        file_name=f"feasible-{dataset.id}.json",
        mime="application/json",
        key="feasible_report",
        icon=":material/download:",
    )


def _share(share: float, interval: tuple[float, float] | None = None) -> str:
    text = format.percent(share, 1)
    if interval is not None:
        text += f" ({format.percent_range(*interval, 1)})"
    return text

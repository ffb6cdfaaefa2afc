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
from translearn_core.i18n import _, ngettext, number
from translearn_ui.components import charts, class_marks, format, matrix_view, scroll, tables
from translearn_ui.components.paging import page_of
from translearn_ui.feasibility import findings_view, photo_actions
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translearn_ui.feasibility.findings_view import Row

PER_PAGE = 9
_PAIR = "feasible_pair"
_CELL, _CLICKS, _CLICKED = "feasible_cell", "feasible_cell_clicks", "feasible_cell_clicked"
_CELL_PHOTOS, _PAGE = "feasible_cell_photos", "feasible_cell_page"


# --- what is mixed up ----------------------------------------------------------------------------


def show_mixups(dataset: Dataset, report: Report, assessed: pd.DataFrame) -> None:
    """The whole matrix with the photos of the chosen cell beside it, and the classes one by one."""
    _show_matrix(dataset, report, assessed)
    st.header(_("Class by class"), anchor=False)
    _show_classes(report)


@st.fragment
def _show_matrix(dataset: Dataset, report: Report, assessed: pd.DataFrame) -> None:
    cell = _chosen_cell(report)
    if len(report.classes) <= matrix_view.MOST_BESIDE:
        left, right = st.columns([1, 1], gap="medium")
    else:
        left, right = st.container(), st.container()
    with left:
        st.header(_("All answers"), anchor=False)
        st.caption(_("Click a field to see its photos, or choose a pair."))
        matrix_view.show(
            report.confusion,
            report.classes,
            places=class_marks.of_classes(dataset.folder, report.classes),
            key="feasible_matrix",
            chosen=cell,
            on_cell=_take_cell,
        )
    with right, st.container(key=_CELL_PHOTOS), frame.errors_shown():
        if not report.mixups:
            st.success(_("It mixed up nothing."), icon=":material/check_circle:")
        else:
            _choose_pair(report.mixups, cell)
        if cell is not None:
            _show_cell(dataset, report, assessed, cell)
    scroll.into_view(_CELL_PHOTOS, when=st.session_state.pop(_CLICKED, 0))


def _chosen_cell(report: Report) -> matrix_view.Cell | None:
    """The cell that was chosen; else the one that is mixed up most."""
    cell = st.session_state.get(_CELL)
    if cell is not None and set(cell) <= set(report.classes):
        return cell[0], cell[1]
    first = next(iter(report.mixups), None)
    return (first.truth, first.answer) if first is not None else None


def _take_cell(cell: matrix_view.Cell) -> None:
    st.session_state[_CELL] = cell
    st.session_state.pop(_PAGE, None)
    st.session_state[_CLICKS] = st.session_state.get(_CLICKS, 0) + 1
    st.session_state[_CLICKED] = st.session_state[_CLICKS]


def _choose_pair(mixups: Sequence[ConfusedPair], cell: matrix_view.Cell | None) -> None:
    """The pairs that are mixed up most, to choose with the keyboard what a click in the matrix does."""
    pairs = {f"{pair.truth}\0{pair.answer}": pair for pair in mixups}
    chosen = "\0".join(cell) if cell is not None else None
    st.session_state[_PAIR] = chosen if chosen in pairs else None

    def label(name: str) -> str:
        pair = pairs[name]
        return f"{frame.plain(pair.truth)} → {frame.plain(pair.answer)} · {pair.n:,}"

    def take() -> None:
        pair = pairs.get(str(st.session_state[_PAIR]))
        if pair is not None:
            st.session_state[_CELL] = (pair.truth, pair.answer)
            st.session_state.pop(_PAGE, None)

    st.pills(
        _("Which classes were mixed up: truth → answer"),
        list(pairs),
        format_func=label,
        key=_PAIR,
        on_change=take,
    )


def _show_cell(
    dataset: Dataset, report: Report, assessed: pd.DataFrame, cell: matrix_view.Cell
) -> None:
    """The photos of a cell, the least like their class first."""
    truth, answer = cell
    here = assessed[(assessed["class_name"] == truth) & (assessed["answer"] == answer)]
    here = here.sort_values("p_given", kind="stable")
    n, of = len(here), sum(report.confusion[report.classes.index(truth)])
    words = (
        ngettext(
            "**{n:,}** photo of **{truth}** was recognised: {share} of the class.",
            "**{n:,}** photos of **{truth}** were recognised: {share} of the class.",
            n,
        )
        if truth == answer
        else ngettext(
            "**{n:,}** photo of **{truth}** was taken for **{answer}**: {share} of the class.",
            "**{n:,}** photos of **{truth}** were taken for **{answer}**: {share} of the class.",
            n,
        )
    )
    st.markdown(
        words.format(
            n=n,
            truth=frame.plain(truth),
            answer=frame.plain(answer),
            share=format.percent(n / max(1, of)),
        )
    )
    rows = findings_view.rows_of(dataset)
    paths = [str(path) for path in here["path"] if path in rows]
    part, place = page_of(len(paths), PER_PAGE, key=_PAGE)
    with place:
        _show_photos(dataset, truth, paths[part], rows)


def _show_photos(
    dataset: Dataset, truth: str, paths: Sequence[str], rows: Mapping[str, Row]
) -> None:
    pictures = photo_actions.thumbnails(dataset, paths)
    with st.grid(min_column_width=140, gap="small") as grid:
        for path in paths:
            with grid.cell(), st.container(key=f"card_mixup_{path}"):
                photo_actions.show_thumbnail(rows[path], pictures[path])
                if str(rows[path]["class_name"]) != truth:
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
        tables.fit(table),
        hide_index=True,
        column_config={
            "name": _("Class"),
            "recall": st.column_config.ProgressColumn(
                _("Recognised"), min_value=0, max_value=100, format="%.0f %%"
            ),
            "span": _("95 % range"),
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
        return _("There are too few photos to test this forecast.")
    points = 100 * abs(error)
    if points < 0.5:
        return _(
            "As a test, the same forecast was made from half of your photos: it was right to half a "
            "point."
        )
    words = (
        _(
            "As a test, the same forecast was made from half of your photos: it promised {points:.0f} "
            "of 100 photos too many."
        )
        if error > 0
        else _(
            "As a test, the same forecast was made from half of your photos: it promised {points:.0f} "
            "of 100 photos too few."
        )
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
        ticktext=[number(n, ",") for n in sizes],
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
        (
            _("mean over the classes, small ones count as much as large ones"),
            _share(report.mean_recall),
        ),
        (
            _("random split (duplicates not grouped)"),
            _share(report.random_split_accuracy),
        ),
        (_("guessing the largest class"), _share(report.majority_accuracy)),
        (_("shuffled labels (chance)"), _share(report.shuffled_accuracy)),
        (_("colour and size alone (trivial features)"), _share(report.trivial_accuracy)),
        *(
            ("– " + _(titles.get(name, name)), _share(share))
            for name, share in sorted(report.trivial.items(), key=lambda item: -item[1])
        ),
        (_("photos that can be read"), number(report.n_photos, ",")),
        (_("of these, measured"), number(report.n_judged, ",")),
        (_("groups (copies and bursts count once)"), number(report.n_groups, ",")),
        (
            _("how often it was measured (cross-validation)"),
            _("{repeats} times, in {folds} parts each").format(
                repeats=report.repeats, folds=report.folds
            ),
        ),
        (_("network (backbone)"), backbones.get_backbone(report.backbone).title),
        (_("time"), format.duration(report.seconds)),
        (_("date"), format.stamp(report.created)),
    ]
    if report.given_test is not None:
        given = report.given_test
        rows.insert(1, (_("on the given test photos"), _share(given.accuracy, given.interval)))
    st.dataframe(
        tables.fit(pd.DataFrame(rows, columns=["what", "figure"])),
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

"""A map of the photos: those that a network finds alike lie near each other.

Owns: the figure, and the photo that was clicked beside it.
Leaves to others: where photos lie (`translearn_core.evaluation.projection`, through photos.parquet), what the
buttons do (`photo_actions.py`).

Classes differ by colour and by the shape of their points; mistakes carry a ring, doubtful
labels a larger square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st

from translearn_core.feasibility.label_errors import strength_of
from translearn_core.i18n import N_, _, ngettext
from translearn_ui.components import charts, class_marks
from translearn_ui.feasibility import findings_view, map_pictures, photo_actions
from translearn_ui.shell import frame

if TYPE_CHECKING:
    import pandas as pd

    from translearn_core.datasets import Dataset
from translearn_core.datasets.file_names import natural_key

MANY_POINTS = 3000
"""From so many points on they are drawn by the graphics card; fewer need none."""
PLACES: dict[str, tuple[str, str]] = {"near": ("x", "y"), "flat": ("pca_x", "pca_y")}
WAYS: dict[str, str] = {"near": N_("By likeness (t-SNE)"), "flat": N_("By large differences (PCA)")}
FILTERS: dict[str, str] = {
    "all": N_("All"),
    "mistakes": N_("Mistakes"),
    "suspects": N_("Worth a look"),
}
_CHOSEN = "map_photo"
_CHART = "feasible_map"


def show(dataset: Dataset, assessed: pd.DataFrame) -> None:
    """The map with its switches, and the photo that was clicked.

    Args:
        assessed: photos.parquet of the report.
    """
    st.caption(
        _(
            "Each point is a photo; photos that look alike are near each other. Point at one to "
            "see it, click it to keep it in sight. A point among points of another colour may be "
            "in the wrong class."
        )
    )
    _show_part(dataset, assessed)


@st.fragment
def _show_part(dataset: Dataset, assessed: pd.DataFrame) -> None:
    """The part of the page that a click on a point draws anew."""
    way, which = _choose()
    table = _placed(assessed, way, which)
    rows = findings_view.rows_of(dataset)
    left, right = st.columns([2.4, 1], gap="medium")
    with left:
        charts.show(
            figure(
                table,
                class_marks.of_classes(
                    dataset.folder, sorted(set(assessed["class_name"]), key=natural_key)
                ),
                rows,
                chosen=_chosen(dataset),
            ),
            key=_CHART,
            alt=_alt(table),
            on_select=lambda: _take_click(dataset),
            zoom=True,
        )
        map_pictures.show(dataset, [path for path in table["path"] if path in rows], chart=_CHART)
        st.caption(
            _(
                "Ring: taken for another class. Square around it: worth a look. "
                "Colour and shape: its class."
            )
        )
    with right, frame.errors_shown():
        _show_chosen(dataset, assessed, rows)


def _choose() -> tuple[str, str]:
    st.session_state.setdefault("map_way", "near")
    st.session_state.setdefault("map_which", "all")
    with st.container(horizontal=True, vertical_alignment="center", key="map_switches"):
        way = st.segmented_control(
            _("How the photos are laid out"),
            list(WAYS),
            format_func=lambda name: _(WAYS[name]),
            key="map_way",
            required=True,
            label_visibility="collapsed",
        )
        which = st.segmented_control(
            _("Which photos are bright"),
            list(FILTERS),
            format_func=lambda name: _(FILTERS[name]),
            key="map_which",
            required=True,
            label_visibility="collapsed",
        )
    return str(way), str(which)


def _placed(assessed: pd.DataFrame, way: str, which: str) -> pd.DataFrame:
    """The photos that have a place, with columns `at_x`, `at_y` and `bright`."""
    x, y = PLACES[way]
    table = assessed.assign(at_x=assessed[x], at_y=assessed[y])
    table = table[table["at_x"].notna() & table["at_y"].notna()]
    bright = {
        "all": table["at_x"].notna(),
        "mistakes": ~table["correct"],
        "suspects": table["suspect_score"] > 0,
    }[which]
    return table.assign(bright=bright)


def figure(
    table: pd.DataFrame, places: Mapping[str, int], rows: Mapping[str, Any], *, chosen: str = ""
) -> go.Figure:
    """The map.

    Args:
        table: photos with `at_x`, `at_y`, `bright` and the columns of photos.parquet.
        places: of all classes, for their colours and shapes.
        rows: manifest rows by path, for the names of the files.
        chosen: path of the photo that was clicked.
    """
    result = go.Figure()
    kind = go.Scattergl if len(table) > MANY_POINTS else go.Scatter
    size = 6 if len(table) > 1500 else 8
    marks = table[table["bright"]]
    _add_marks(result, kind, marks[~marks["correct"]], _("mistake"), "circle-open", size + 6)
    suspects = marks[marks["suspect_score"] > 0]
    _add_marks(result, kind, suspects, _("label worth a look"), "square-open", size + 10)
    for name, place in places.items():
        own = table[table["class_name"] == name]
        if len(own):
            _add_class(result, kind, own, place, name, size, rows)
    here = table[table["path"] == chosen]
    if len(here):
        _add_marks(result, kind, here, _("this photo"), "circle-open", size + 16, width=3)
    for axis in (result.update_xaxes, result.update_yaxes):
        axis(visible=False, zeroline=False, showgrid=False)
    result.update_layout(
        height=560,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(128,128,128,0.05)",
        dragmode=False,
        hovermode="closest",
        clickmode="event+select",
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "title": None},
        uirevision="map",
    )
    return result


def _add_class(
    result: go.Figure,
    kind: Any,
    own: pd.DataFrame,
    place: int,
    name: str,
    size: int,
    rows: Mapping[str, Any],
) -> None:
    shown = [0.95 if bright else 0.12 for bright in own["bright"]]
    words = [
        [path, _file_of(rows, path), _answer_words(name, str(answer), bool(right))]
        for path, answer, right in zip(own["path"], own["answer"], own["correct"], strict=True)
    ]
    marker = {
        "color": class_marks.color_of(place),
        "symbol": class_marks.shape_of(place).symbol,
        "size": size,
        "opacity": shown,
        "line": {"width": 0.5, "color": "rgba(255,255,255,0.55)"},
    }
    result.add_trace(
        kind(
            x=own["at_x"],
            y=own["at_y"],
            customdata=words,
            mode="markers",
            name=name,
            marker=marker,
            # a selection must not dim the rest: the clicked photo has a ring of its own
            selected={"marker": {}},
            unselected={"marker": {"opacity": 0.95}} if all(own["bright"]) else {},
            hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        )
    )


def _add_marks(
    result: go.Figure,
    kind: Any,
    rows: pd.DataFrame,
    name: str,
    symbol: str,
    size: int,
    *,
    width: float = 1.4,
) -> None:
    """Rings and squares around photos, in the page's text colour."""
    if not len(rows):
        return
    color = charts.TEXT_COLORS[st.context.theme.type or "light"]
    result.add_trace(
        kind(
            x=rows["at_x"],
            y=rows["at_y"],
            mode="markers",
            name=name,
            marker={
                "symbol": symbol,
                "size": size,
                "color": color,
                "line": {"width": width, "color": color},
                "opacity": 0.75,
            },
            unselected={"marker": {"opacity": 0.75}},
            hoverinfo="skip",
        )
    )


def _file_of(rows: Mapping[str, Any], path: str) -> str:
    row = rows.get(path)
    file = str(row["file"]) if row is not None else _("no longer in the data set")
    return file.replace("<", "&lt;")


def _answer_words(name: str, answer: str, right: bool) -> str:
    text = name if right else _("{name}, taken for {answer}").format(name=name, answer=answer)
    return text.replace("<", "&lt;")


def _alt(table: pd.DataFrame) -> str:
    mistakes, suspects = int((~table["correct"]).sum()), int((table["suspect_score"] > 0).sum())
    return _(
        "A map of {n:,} photos, alike ones near each other; {mistakes:,} are taken for another "
        "class, {suspects:,} have a label that is worth a look."
    ).format(n=len(table), mistakes=mistakes, suspects=suspects)


# --- the photo that was clicked --------------------------------------------------------------------


def _take_click(dataset: Dataset) -> None:
    points = st.session_state[_CHART]["selection"]["points"]
    paths = [point["customdata"][0] for point in points if point.get("customdata")]
    if paths:
        st.session_state[_CHOSEN] = (dataset.id, str(paths[0]))


def _chosen(dataset: Dataset) -> str:
    found = st.session_state.get(_CHOSEN)
    return str(found[1]) if found is not None and found[0] == dataset.id else ""


def _show_chosen(dataset: Dataset, assessed: pd.DataFrame, rows: Mapping[str, Any]) -> None:
    path = _chosen(dataset)
    row = rows.get(path)
    if row is None:
        with st.container(key="map_nothing", border=True):
            text = (
                _("This photo is no longer in the data set.")
                if path
                else _("The photo you click appears here.")
            )
            st.caption(f":material/touch_app: {text}")
            _offer_first(dataset, assessed, rows)
    else:
        _show_photo(dataset, assessed[assessed["path"] == path], row)
    photo_actions.show_bar(dataset)


def _offer_first(dataset: Dataset, assessed: pd.DataFrame, rows: Mapping[str, Any]) -> None:
    """A way to the suspects for those who cannot click on a point."""
    suspects = [path for path in _suspects(assessed) if path in rows]
    if suspects and st.button(
        ngettext(
            "Show the photo that is worth a look",
            "Show the first of {n:,} photos that are worth a look",
            len(suspects),
        ).format(n=len(suspects)),
        key="map_first",
    ):
        st.session_state[_CHOSEN] = (dataset.id, suspects[0])
        st.rerun(scope="fragment")


def _suspects(assessed: pd.DataFrame) -> list[str]:
    found = assessed[assessed["suspect_score"] > 0].sort_values("suspect_score", ascending=False)
    return list(found["path"])


def _show_photo(dataset: Dataset, found: pd.DataFrame, row: Mapping[str, Any]) -> None:
    """The photo, what was answered, and what can be done with it."""
    path = str(row["path"])
    known = found.iloc[0] if len(found) else None
    with st.container(key=f"card_map_{path}"):
        photo_actions.show_thumbnail(row, photo_actions.thumbnails(dataset, [path])[path])
        st.markdown(photo_actions.facts(row))
        suggested = ""
        if known is not None:
            answer = frame.plain(str(known["answer"]))
            if known["correct"]:
                st.caption(f":green[✓] {_('recognised as {answer}').format(answer=answer)}")
            else:
                st.caption(f":red[✗] {_('taken for {answer}').format(answer=answer)}")
            if known["suspect_score"] > 0 and known["suggested"] != row["class_name"]:
                suggested = str(known["suggested"])
                score = float(known["suspect_score"])
                st.caption(_("Its label: {words}").format(words=findings_view.label_words(score)))
        gentle = known is None or strength_of(float(known["suspect_score"])) != "almost_certain"
        _show_acts(dataset, row, suggested, keep_first=gentle)


def _show_acts(
    dataset: Dataset, row: Mapping[str, Any], suggested: str, *, keep_first: bool
) -> None:
    path = str(row["path"])
    with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center"):
        for act in (("keep", "move") if keep_first else ("move", "keep")) if suggested else ():
            name = suggested if act == "move" else str(row["class_name"])
            words = _("Move to {name}") if act == "move" else _("Keep as {name}")
            is_first = (act == "keep") == keep_first
            if st.button(
                words.format(name=frame.plain(name)),
                key=f"map_{act}_{path}",
                type="secondary" if is_first else "tertiary",
            ):
                if act == "move":
                    photo_actions.move(dataset, [path], suggested)
                else:
                    photo_actions.keep(dataset, [("wrong_label", path)])
                st.rerun()
        if not suggested and st.button(_("Remove"), key=f"map_exclude_{path}"):
            photo_actions.exclude(dataset, [path])
            st.rerun()
        photo_actions.show_menu(dataset, row, key="map")

"""Test photos of a run as tiles: one press asks the model about one, and shows why.

Owns: reading the predictions of a run for pages, which photos are shown, the tiles. Leaves to others: the
explanation (`explanation_view.py`), what is done with a tile that is pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.errors import RunError, SourceError, TransLearnError
from translearn_core.i18n import _
from translearn_core.runs import Run, predictions
from translearn_ui.components import explanation_view, format, gallery
from translearn_ui.shell import frame

TILES = 6


def read_predictions(run: Run) -> pd.DataFrame:
    """The predictions on the test photos of a run, read once per state of its model."""
    return _read(str(run.folder), run.model_path.stat().st_mtime_ns)


@st.cache_data(max_entries=8, show_spinner=False)
def _read(folder: str, changed_ns: int) -> pd.DataFrame:
    """`changed_ns` only tells one state of the run from another."""
    return predictions.read_predictions(Run(Path(folder)))


def right_and_wrong(table: pd.DataFrame, *, most: int = TILES) -> pd.DataFrame:
    """Half right and half wrong photos, as far as there are any: the surest of each, of different
    classes first."""
    is_right = table["correct"].astype(bool)
    right, wrong = (_spread(table[kind]) for kind in (is_right, ~is_right))
    n_wrong = min(len(wrong), max(most // 2, most - len(right)))
    return pd.concat([right[: most - n_wrong], wrong[:n_wrong]])


def of_each_class(table: pd.DataFrame, *, most: int = TILES) -> pd.DataFrame:
    """Photos of all classes in turn, whatever was answered."""
    turns = table.groupby("truth").cumcount()
    return table.iloc[turns.argsort(kind="stable")][:most]


def _spread(table: pd.DataFrame) -> pd.DataFrame:
    """The surest photo of each class, then the second of each."""
    ordered = table.sort_values("confidence", ascending=False, kind="stable")
    return of_each_class(ordered, most=len(ordered))


def show_outcome(run: Run, *, key: str) -> None:
    """Some right and some wrong test photos; a press shows the answer and why."""
    found = _test_photos(run)
    if found is None:
        return
    dataset, table = found
    rows = right_and_wrong(table)

    def explain(row: Mapping[Any, Any]) -> None:
        title = (
            _("Why {label}?") if row["correct"] else _("Why {label}? It is really {truth}")
        ).format(label=frame.plain(row["label"]), truth=frame.plain(row["truth"]))
        path = dataset.photo_path(row["path"])
        explanation_view.offer_dialog(run, path, title=title, name=row["file"])

    n = int(rows["correct"].sum())
    words = _("Photos of the test: {right} right, {wrong} wrong. Press one to see why.")
    st.caption(words.format(right=n, wrong=len(rows) - n))
    _show(dataset, rows, key=key, caption=_outcome, press=explain)


def show_samples(run: Run, *, key: str, press: Callable[[Mapping[Any, Any], Path], None]) -> None:
    """Test photos to try the model on, with no word of what they are."""
    found = _test_photos(run)
    if found is None:
        return
    dataset, table = found
    st.caption(_("Or press one of your photos that it has not learned from."))
    _show(
        dataset,
        of_each_class(table),
        key=key,
        caption=lambda _row: "",
        press=lambda row: press(row, dataset.photo_path(row["path"])),
    )


def _test_photos(run: Run) -> tuple[datasets.Dataset, pd.DataFrame] | None:
    """The data set of a run and its test predictions; None where there are none any more."""
    try:
        dataset = datasets.open_dataset(Path(run.config.dataset))
        table = read_predictions(run)
    except (SourceError, RunError, OSError, KeyError):
        return None
    there = set(dataset.photos["path"])
    table = table[table["path"].isin(there)]
    return (dataset, table) if len(table) else None


def _outcome(row: Mapping[Any, Any]) -> str:
    sure = frame.unbroken(format.certainty(row["confidence"]))
    if row["correct"]:
        return f":green[✓] **{frame.plain(row['truth'])}** · {sure}"
    return _(":red[✗] said **{label}** ({sure})  \nreally **{truth}**").format(
        label=frame.plain(row["label"]), sure=sure, truth=frame.plain(row["truth"])
    )


def _show(
    dataset: datasets.Dataset,
    rows: pd.DataFrame,
    *,
    key: str,
    caption: Callable[[Mapping[Any, Any]], str],
    press: Callable[[Mapping[Any, Any]], None],
) -> None:
    with (
        st.container(key=f"gallery_{key}"),
        st.grid(min_column_width=128, gap="small") as grid,
    ):
        for number, row in enumerate(rows.astype(object).to_dict("records"), 1):
            with grid.cell():
                try:
                    gallery.show_photo(dataset.thumbnail(row["path"]), file=row["file"])
                except (TransLearnError, OSError):
                    st.caption(
                        _("{file} can no longer be read.").format(file=frame.plain(row["file"]))
                    )
                    continue
                if words := caption(row):
                    st.caption(words)
                if st.button(
                    _("Ask about {n}").format(n=number),
                    key=f"{key}_{number}",
                    width="stretch",
                ):
                    press(row)

"""Tables of photos have the same columns of the same types, whatever they were made from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from translearn_core.datasets.manifest_columns import COLUMNS, with_columns


@pytest.mark.parametrize("n", [0, 3])
def test_columns_have_their_types_and_missing_ones_are_blank(n: int) -> None:
    given = pd.DataFrame(
        {
            "stray": np.arange(n),
            "width": np.arange(n, dtype=float),
            "file": np.array([f"{number}.jpg" for number in range(n)], object),
        },
        index=np.arange(n)[::-1],
    )
    table = with_columns(given, COLUMNS)
    assert list(table.columns) == list(COLUMNS)
    assert [dtype == kind for dtype, kind in zip(table.dtypes, COLUMNS.values(), strict=True)] == (
        len(COLUMNS) * [True]
    )
    assert list(table.index) == list(range(n))
    assert list(table["width"]) == list(range(n))
    assert list(table["file"]) == list(given["file"])
    assert list(table["class_name"]) == n * [""]
    assert list(table["height"]) == n * [0]
    if n:  # what is changed in the table is changed there alone
        table.loc[0, ["class_name", "height", "width"]] = ["a", 5, 7]
        assert (table.loc[0, "split"], table.loc[0, "bytes"]) == ("", 0)
        assert given["width"].max() == n - 1


def test_a_table_that_has_them_all_is_numbered_anew_and_stays_as_it_was() -> None:
    whole = with_columns(pd.DataFrame({"file": ["a.jpg", "b.jpg", "c.jpg"]}), COLUMNS)
    given = whole.iloc[::-1]
    table = with_columns(given, COLUMNS)
    assert list(table.index) == [0, 1, 2]
    assert list(table["file"]) == ["c.jpg", "b.jpg", "a.jpg"]
    table.loc[0, "file"] = "d.jpg"
    table["checked"] |= True
    assert list(given["file"]) == ["c.jpg", "b.jpg", "a.jpg"]
    assert not given["checked"].any()
    turned = with_columns(whole[whole.columns[::-1]], COLUMNS)
    pd.testing.assert_frame_equal(turned, whole)


def test_a_number_that_is_missing_is_no_number() -> None:
    with pytest.raises(ValueError, match=r"NaN|NA"):
        with_columns(pd.DataFrame({"width": [1.0, np.nan]}), COLUMNS)

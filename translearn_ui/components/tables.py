"""Tables of a page, whose menu lets a browser save them as CSV.

Owns: `fit`, what may stand in their cells. Leaves to others: which texts a spreadsheet computes
(`csv_tables.cell`), the columns.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from translearn_core.csv_tables import cell


def fit(table: pd.DataFrame | list[dict[str, Any]]) -> pd.DataFrame:
    """A table for `st.dataframe` in which no text and no heading is a formula, whoever saves it."""
    given = pd.DataFrame(table)
    return pd.DataFrame(
        {
            str(cell(str(name))): [cell(one) if isinstance(one, str) else one for one in column]
            if not is_numeric_dtype(column)
            else column
            for name, column in given.items()
        },
        index=given.index,
    )

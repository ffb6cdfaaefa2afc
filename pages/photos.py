"""Step 1: bring photos in, look at them, put them in order.

The start page is painted before anything heavy (pandas, Pillow) is imported: that is what a
newcomer waits for.
"""

from __future__ import annotations

import streamlit as st

from translearn_ui.components import import_task
from translearn_ui.photos import start_page
from translearn_ui.shell import frame

frame.page("photos")


def main() -> None:
    """The start page without a data set, the data set's page with one."""
    if not frame.kept():
        import_task.take_up()
    if import_task.is_shown():
        return
    dataset = frame.current_dataset()
    if dataset is None and import_task.UPLOAD in st.query_params:
        from translearn_ui.photos import reading

        reading.show_page()
    elif dataset is None:
        start_page.show()
    else:
        from translearn_ui.photos import dataset_page

        dataset_page.show(dataset)


main()

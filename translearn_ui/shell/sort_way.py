"""From where photos come in on the page that sorts: files, or its camera.

Owns: the place in the session. Leaves to others: choosing it there (`sorting/bring_in.py`).
"""

from __future__ import annotations

import streamlit as st

WAY = "sort_way"
"""Of the session: `files` or `camera`."""


def end_camera() -> None:
    """Show photos to sort on the page that sorts, not its camera."""
    st.session_state[WAY] = "files"

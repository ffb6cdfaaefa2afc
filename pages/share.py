"""Placeholder."""

from __future__ import annotations

import streamlit as st

from translearn_ui import frame

frame.page("share")
st.title("share", anchor=False)

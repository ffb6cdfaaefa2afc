"""Placeholder."""

from __future__ import annotations

import streamlit as st

from translearn_ui import frame

frame.page("work")
st.title("work", anchor=False)

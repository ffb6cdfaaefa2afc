"""Placeholder."""

from __future__ import annotations

import streamlit as st

from translearn_ui import frame

frame.page("try_it")
st.title("try_it", anchor=False)

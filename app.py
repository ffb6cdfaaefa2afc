"""The one door of the web app: page set-up, navigation, and the net under every page.

Start it with `streamlit run app.py`. Pages lie in `pages/`, what they share in
`translearn_ui/`, and everything that is computed in `translearn_core/`.
"""

from __future__ import annotations

import streamlit as st

from translearn_ui.components import bin_line
from translearn_ui.shell import class_line, frame, language_choice, left_pages, signed_in, start

language_choice.use()
st.set_page_config(
    page_title="TransLearn",
    page_icon=str(frame.ICON),
    layout="wide",
    initial_sidebar_state="collapsed",
    menu_items={"About": frame.about()},
)

start.once()
left_pages.drop_their_requests()
page = st.navigation(frame.navigation(), position="hidden")
frame.follow_deep_link()
with frame.inside(), frame.errors_shown(), signed_in.acting():
    class_line.show()
    page.run()
    bin_line.show_undo()
start.set_modules_aside()

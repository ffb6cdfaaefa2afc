"""Spacing and shapes that Streamlit's own theme has no option for.

Owns: one small style sheet. Colours stand in `.streamlit/config.toml`; here they are only
derived from the text and primary colour in force, so that light and dark both hold.
Leaves to others: everything a widget does. Rules hang on keys (`st-key-...`) of containers,
the one hook that Streamlit promises; without them the pages still work.
"""

from __future__ import annotations

import streamlit as st

STYLE = """
<style>
[data-testid="stMainBlockContainer"] {padding-top: 1.1rem; padding-bottom: 4rem; max-width: 76rem;}
[data-testid="stHeader"] {background: transparent; pointer-events: none;}
[data-testid="stHeader"] button, [data-testid="stHeader"] a {pointer-events: auto;}
.st-key-frame_head {padding-bottom: .7rem; margin-bottom: .6rem; padding-right: 2.2rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 13%, transparent);}
.st-key-frame_brand p {font-weight: 680; letter-spacing: -.01em; font-size: 1.06rem;}
.st-key-frame_path {justify-content: center;}
@media (max-width: 760px) {
  .st-key-frame_head {column-gap: .4rem; row-gap: .2rem;}
  .st-key-frame_path {order: 3; flex-basis: 100%; justify-content: space-between;}
}
@media (prefers-reduced-motion: reduce) {* {animation: none !important; transition: none !important;}}
</style>
"""


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(STYLE)

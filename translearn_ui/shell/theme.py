"""Spacing and shapes that Streamlit's own theme has no option for.

Owns: one small style sheet. Colours stand in `.streamlit/config.toml`; here they are only
derived from the text colour in force and one green that holds on light and dark alike.
Leaves to others: everything a widget does. Rules hang on keys (`st-key-...`) of containers,
the one hook that Streamlit promises; without them the pages still work.
"""

from __future__ import annotations

import streamlit as st

STYLE = """
<style>
/* the page */
[data-testid="stMainBlockContainer"] {padding-top: .9rem; padding-bottom: 4rem; max-width: 74rem;}
[data-testid="stHeader"] {background: transparent; pointer-events: none;}
[data-testid="stHeader"] * {pointer-events: none;}
[data-testid="stHeader"] :is(button, a, label), [data-testid="stHeader"] :is(button, a, label) * {pointer-events: auto;}
[data-testid="stHeading"] h1 {padding-top: .5rem; padding-bottom: .5rem; letter-spacing: -.02em;}
[data-testid="stHeading"] h2, [data-testid="stHeading"] h3 {letter-spacing: -.01em;}

/* the head line */
.st-key-frame_head {border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent);
  padding-bottom: .55rem; padding-right: 2.4rem; min-height: 3rem;}
.st-key-frame_brand a, .st-key-frame_brand a:hover {gap: .1rem; padding-left: 0;
  background: transparent !important;}
.st-key-frame_brand p {font-weight: 680; font-size: 1.08rem; letter-spacing: -.015em;}
.st-key-frame_brand a::before {content: ""; width: 1.5rem; height: 1.5rem; flex: none;
  margin-right: .5rem; background: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Crect width='64' height='64' rx='15' fill='%2317695b'/%3E%3Crect x='13' y='13' width='17' height='17' rx='4.5' fill='%23f4c767'/%3E%3Cg fill='%23fff'%3E%3Cpath fill-opacity='.38' d='M38.5 13h8a4.5 4.5 0 0 1 4.5 4.5v8a4.5 4.5 0 0 1-4.5 4.5h-8a4.5 4.5 0 0 1-4.5-4.5v-8a4.5 4.5 0 0 1 4.5-4.5zM17.5 34h8a4.5 4.5 0 0 1 4.5 4.5v8a4.5 4.5 0 0 1-4.5 4.5h-8a4.5 4.5 0 0 1-4.5-4.5v-8a4.5 4.5 0 0 1 4.5-4.5z'/%3E%3Ccircle cx='42.5' cy='42.5' r='8.5'/%3E%3C/g%3E%3C/svg%3E") center/contain no-repeat;}
.st-key-frame_path {justify-content: center; column-gap: .1rem;}
.st-key-frame_path > div + div::before {content: ""; position: absolute; left: -.35rem; top: 50%;
  width: .7rem; height: 1px; background: color-mix(in srgb, currentColor 28%, transparent);}
.st-key-frame_path > div {position: relative;}
.st-key-frame_path > div + div {margin-left: .45rem;}
.st-key-frame_path a, .st-key-frame_work a, .st-key-frame_work_now a {padding: .3rem .6rem;
  border-radius: 99px; line-height: 1.3;}
[class*="st-key-frame_step_"][class*="_now"] a, .st-key-frame_work_now a {
  background: color-mix(in srgb, #2f9e87 20%, transparent) !important;}
[class*="st-key-frame_step_"][class*="_now"] p, .st-key-frame_work_now p {font-weight: 650;}
@media (max-width: 820px) {
  .st-key-frame_head {justify-content: space-between; row-gap: .7rem;}
  .st-key-frame_head > div:has(> .st-key-frame_path) {order: 3; flex: 1 0 100%; margin-right: -2.4rem;}
  .st-key-frame_path {justify-content: space-between; flex-wrap: nowrap;}
  .st-key-frame_path a {padding: .35rem .5rem;}
  .st-key-frame_path > div + div::before {left: -.65rem;}
}
@media (max-width: 560px) {
  [class*="st-key-frame_step_"]:not([class*="_now"]) p {position: absolute; width: 1px;
    height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;}
  [class*="st-key-frame_step_"] [data-testid="stIconMaterial"] {font-size: 1.45rem;}
}

/* the chosen pill keeps the text colour: the primary one is too dark on dark pages */
[data-testid="stButtonGroup"] button[data-selected="true"] {color: inherit !important; font-weight: 600;}
[role="tab"][aria-selected="true"] {color: inherit !important; font-weight: 600;}
[data-testid="stToastContainer"] {top: auto !important; bottom: 1.5rem;}

/* quiet words stay readable, and a link among them is as bright as any other */
[data-testid="stCaptionContainer"] {opacity: 1;
  color: color-mix(in srgb, currentColor 74%, transparent);}

/* photos */
[class*="st-key-gallery_"] img {aspect-ratio: 1; object-fit: cover; width: 100%;
  border-radius: .5rem; background: color-mix(in srgb, currentColor 8%, transparent);}
[class*="st-key-strip_"] img {aspect-ratio: 1; object-fit: cover; border-radius: .4rem;}
[class*="st-key-strip_"] {overflow: hidden;}
[class*="st-key-gallery_"] [data-testid="stCheckbox"] p {font-size: .75rem; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap;}
[class*="st-key-gallery_"] [data-testid="stImageCaption"] {font-size: .78rem; margin-top: .15rem;}
.st-key-answer_photo img {max-height: 22rem; object-fit: contain; border-radius: .6rem;}

/* the start page */
.st-key-start_words {padding: 1.4rem 0 .6rem;}
.st-key-start_words h1 {font-size: clamp(1.9rem, 4.2vw, 2.7rem); line-height: 1.12;}
.st-key-start_words [data-testid="stMarkdownContainer"] > p {
  font-size: 1.1rem; max-width: 44rem;}
[data-testid="stFileUploaderDropzone"] {min-height: 6.5rem; align-items: center;
  border: 1.5px dashed color-mix(in srgb, currentColor 28%, transparent);}
.tl-tree {margin-top: .4rem; padding: .8rem .95rem .9rem; border-radius: .6rem; font-size: .9rem;
  background: color-mix(in srgb, currentColor 5%, transparent);}
.tl-tree p {margin: 0 0 .5rem; font-size: .8rem; opacity: .75;}
.tl-tree ul {list-style: none; margin: .3rem 0 0 .45rem; padding: 0;
  border-left: 1px solid color-mix(in srgb, currentColor 25%, transparent);}
.tl-tree li {display: flex; align-items: center; gap: .35rem; padding: .25rem 0 .25rem .8rem; margin: 0;}
.tl-tree li b {font-weight: 560; min-width: 4.2rem;}
.tl-tree li span {display: flex; gap: .25rem;}
.tl-tree i {width: 1.15rem; height: 1.15rem; border-radius: .3rem; background: #e0a02f;}
.tl-tree li + li i {background: #2f9e87; border-radius: 99px;}

/* nothing there yet */
[class*="st-key-empty_"] {padding: 2.2rem 1rem; border-radius: .8rem; text-align: center;
  background: color-mix(in srgb, currentColor 3.5%, transparent);}
.st-key-empty_dataset {padding: 1rem;}
[class*="st-key-icon_of_empty"] :is([role="img"], [data-testid="stIconMaterial"]) {
  font-size: 2.6rem !important; opacity: .55;}

@media (prefers-reduced-motion: reduce) {* {animation-duration: .01ms !important; transition: none !important;}}
</style>
"""


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(STYLE)

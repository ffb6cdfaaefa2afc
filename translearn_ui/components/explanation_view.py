"""Why an answer: the photo with a heat map over it, and the training photos that it looks like.

Owns: the controls (class, way, opacity), the pictures and the words.
Leaves to others: heat maps and similar photos (`translearn_core.prediction.explain`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from translearn_core import datasets
from translearn_core.errors import TransLearnError
from translearn_core.formatting import never_seen
from translearn_core.i18n import _
from translearn_core.prediction import explain, predict
from translearn_core.prediction.explain import Explanation, overlay
from translearn_core.runs import Run
from translearn_ui.components import format, gallery
from translearn_ui.shell import frame

_MOST_SIMILAR = 6
_STATE = "explanation_of"
_WAYS = ("heat", "cover")


def show(run: Run, source: Path | bytes, *, key: str, name: str) -> None:
    """Explain the answer to one photo.

    Args:
        run: whose model answers.
        source: the photo, as a path or the bytes of its file.
        key: of the widgets.
        name: of the photo, for those who do not see it.
    """
    with st.spinner(_("Looking at it…")):
        explanation = _explanation(run, source)
    see, like = st.columns([1.1, 1], gap="medium")
    with see, frame.errors_shown():
        _show_heat(run, explanation, key, name, of=_mark_of(source))
    with like, frame.errors_shown():
        _show_similar(run, explanation, key)


def offer_dialog(run: Run, path: Path, *, title: str, name: str) -> None:
    """Open the explanation of a photo of the data set over the page."""

    def content() -> None:
        with frame.errors_shown():
            show(run, path, key="results_explain", name=name)

    st.dialog(title, width="large", icon=":material/center_focus_strong:")(content)()


def _explanation(run: Run, source: Path | bytes) -> Explanation:
    """Look at the photo, once in a session as long as it is the last one."""
    mark = (str(run.folder), run.model_path.stat().st_mtime_ns, _mark_of(source))
    kept: dict[str, Any] = st.session_state.setdefault(_STATE, {})
    if kept.get("mark") != mark:
        kept.clear()
        kept["explanation"] = explain.explain_photo(predict.open_predictor(run), source)
        kept["mark"] = mark
    explanation: Explanation = kept["explanation"]
    return explanation


def _mark_of(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()


def _once(name: str, make: Callable[[], Any]) -> Any:
    """A part of the present explanation that takes a while, made once."""
    kept = st.session_state[_STATE]
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _show_heat(run: Run, explanation: Explanation, key: str, name: str, *, of: str) -> None:
    """The photo under its heat map, and what is asked of it.

    Args:
        of: tells the photo from others: each begins with the evidence for its own answer.
    """
    picture_box = st.container(key=f"{key}_picture")
    classes = run.labels
    shares = explanation.probabilities
    ranked = sorted(range(len(classes)), key=lambda index: -float(shares[index]))
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}_asked"):
        wanted = st.selectbox(
            _("Evidence for"),
            ranked,
            format_func=lambda index: f"{classes[index]} · {format.percent(float(shares[index]))}",
            key=f"{key}_class_{hashlib.sha256(of.encode()).hexdigest()[:12]}",
        )
        opacity = st.slider(
            _("Strength of the colours"),
            0,
            100,
            60,
            step=5,
            format="%d %%",
            key=f"{key}_opacity",
            width=180,
        )
    ways = _WAYS if explanation.has_heat_map else _WAYS[1:]
    way = st.segmented_control(
        _("How to find it"),
        ways,
        default=ways[0],
        required=True,
        format_func=lambda way: {
            "heat": _(":material/local_fire_department: Heat map"),
            "cover": _(":material/select: Cover parts"),
        }[way],
        key=f"{key}_way",
        label_visibility="collapsed",
    )
    if way == "cover":
        with picture_box, st.spinner(_("Covering one part after the other…")):
            heat = _once(f"cover_{wanted}", lambda: explanation.occlusion(wanted))
    else:
        heat = explanation.heat_map(wanted)
    class_name = classes[wanted]
    with picture_box:
        st.image(
            overlay(explanation.picture, heat, opacity / 100),
            alt=_("The photo {file}; warm colours show what speaks for {name}").format(
                file=name, name=class_name
            ),
            width="stretch",
        )
    st.caption(_caption(way, class_name, bool(heat.any())))


def _caption(way: str, class_name: str, any_heat: bool) -> str:
    name = frame.plain(class_name)
    if not any_heat:
        return _("Nothing on this photo speaks for **{name}**.").format(name=name)
    if way == "cover":
        return _(
            "Bright: where **{name}** becomes less likely when that part is covered in grey "
            "(occlusion). It asks the whole model again for each part."
        ).format(name=name)
    return _(
        "Bright: what speaks for **{name}** (Grad-CAM). It shows where the model looked, not "
        "whether that is a good reason."
    ).format(name=name)


def _show_similar(run: Run, explanation: Explanation, key: str) -> None:
    similar = explanation.similar(_MOST_SIMILAR)
    if explanation.unlike:
        words = _("**{sentence}** The nearest that I know:")
        st.markdown(words.format(sentence=never_seen()))
    elif similar:
        st.markdown(_("**It looks like these**, the most similar photos that I learned from:"))
    if not similar:
        st.caption(
            _("This training kept no photos to compare with. Train again to see similar ones here.")
            if run.has_result
            else _("It came from elsewhere, without the photos that it learned from.")
        )
        return
    try:
        dataset = datasets.open_dataset(run.config.dataset)
    except TransLearnError:
        st.caption(_("The photos of this model were deleted, so similar ones cannot be shown."))
        return
    classes = run.labels
    with (
        st.container(key=f"gallery_{key}_similar"),
        st.grid(min_column_width=112, gap="xsmall") as grid,
    ):
        for found in similar:
            name = classes[found.class_index]
            with grid.cell():
                try:
                    gallery.show_photo(
                        dataset.thumbnail(found.path),
                        file=found.path,
                        class_name=name,
                        caption=_("{name} · {share} alike").format(
                            name=frame.plain(name), share=format.percent(found.similarity)
                        ),
                    )
                except (TransLearnError, OSError):
                    st.caption(_("{file} can no longer be read.").format(file=found.path))

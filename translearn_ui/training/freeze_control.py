"""How much of the backbone stays frozen: a picture of its blocks with a handle, and the cost.

Owns: the picture, the handle, and the sentences about layers, weights and time.
Leaves to others: what a choice means for the graph (`freezing.freeze_choice`), measuring
speed (`speed.py`).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal

import streamlit as st

from translearn_core import jobs, palette
from translearn_core.backbones import Backbone, freezing
from translearn_core.backbones.freezing import BackboneGraph, FreezeChoice
from translearn_core.errors import SettingsError
from translearn_core.features import costs
from translearn_core.i18n import _, ngettext
from translearn_core.recipe import technique_table
from translearn_ui.components import class_marks, format, run_setup
from translearn_ui.shell import frame
from translearn_ui.training import speed


def choose(
    backbone: Backbone, *, n_train: int, n_photos: int, photo: Path | None, places: Sequence[int]
) -> int | Literal["all", "none"]:
    """Show the control and return the `freeze` setting.

    Args:
        n_train: photos that will be learned from.
        n_photos: all photos.
        photo: one of the person's own, for the picture.
        places: of the classes, for the colours of the picture.
    """
    graph = freezing.blocks_of(backbone)
    freeze, choice = _read_choice(backbone)
    st.html(_picture_html(graph, choice, photo, places))
    layer = st.session_state.get(run_setup.LAYER_KEY)
    with st.container(key="freeze_handle"):
        _show_handle(backbone, len(graph.blocks), disabled=bool(layer))
    st.html(_legend_html(choice))
    if choice.note:
        st.info(frame.plain(choice.note), icon=":material/info:")
    _show_cost(backbone, choice, n_train=n_train, n_photos=n_photos)
    return freeze


def _read_choice(backbone: Backbone) -> tuple[int | Literal["all", "none"], FreezeChoice]:
    """The setting as the handle stands, and what it means."""
    freeze = run_setup.freeze_value(backbone)
    layer = st.session_state.get(run_setup.LAYER_KEY) or ""
    try:
        return freeze, freezing.freeze_choice(backbone, freeze, layer)
    except SettingsError as error:
        frame.show_error(error)
        return freeze, freezing.freeze_choice(backbone, freeze)


def _show_handle(backbone: Backbone, blocks: int, *, disabled: bool) -> None:
    key = run_setup.freeze_key(backbone)
    st.session_state.setdefault(key, blocks)
    st.slider(
        _("Frozen blocks"),
        min_value=0,
        max_value=blocks,
        step=1,
        key=key,
        disabled=disabled,
        label_visibility="collapsed",
        persist_state="session",
    )


def _picture_html(
    graph: BackboneGraph, choice: FreezeChoice, photo: Path | None, places: Sequence[int]
) -> str:
    """Photo, blocks, classes. A block's height says how many weights it has (by square root)."""
    most = max((math.sqrt(block.parameters) for block in graph.blocks), default=1.0) or 1.0
    bars = []
    for index, block in enumerate(graph.blocks):
        kind = "frozen" if index < choice.frozen_blocks else "learns"
        height = 22 + 78 * math.sqrt(block.parameters) / most
        title = _("{name}: {layers} layers, {weights} weights, {state}").format(
            name=block.title,
            layers=block.layers,
            weights=format.count(block.parameters),
            state=_("frozen") if kind == "frozen" else _("learns"),
        )
        bars.append(
            f'<span class="{kind}" style="height:{height:.0f}%" title="{escape(title)}"></span>'
        )
    dots = "".join(
        f'<i style="background:{class_marks.color_of(place)}"></i>' for place in places[:6]
    )
    label = _("{frozen} of {blocks} blocks are frozen; the rest and the head learn.").format(
        frozen=choice.frozen_blocks, blocks=choice.blocks
    )
    return (
        f'<div class="tl-net" role="img" aria-label="{escape(label)}">'
        f'<figure class="in">{_photo_html(photo)}<figcaption>{_("photo")}</figcaption></figure>'
        f'<div class="row-box"><div class="row">{"".join(bars)}</div>'
        f"<p><span>{_('edges, colours')}</span><span>{_('shapes, things')}</span></p></div>"
        f'<figure class="out"><b>{dots}</b><figcaption>{_("head")}</figcaption></figure></div>'
    )


def _photo_html(photo: Path | None) -> str:
    if photo is None:
        return "<b></b>"
    content = base64.b64encode(photo.read_bytes()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{content}">'


def _legend_html(choice: FreezeChoice) -> str:
    frozen = ngettext(
        "{n} frozen block: stays as it is",
        "{n} frozen blocks: stay as they are",
        choice.frozen_blocks,
    ).format(n=choice.frozen_blocks)
    learning = choice.blocks - choice.frozen_blocks
    learns = (
        ngettext(
            "{n} block and the head learn from your photos",
            "{n} blocks and the head learn from your photos",
            learning,
        ).format(n=learning)
        if learning
        else _("the head learns from your photos")
    )
    signs = ""
    if choice.frozen_blocks:
        signs += f'<span class="tl-net-key"><i style="{_swatch(frozen=True)}"></i>{frozen}</span>'
    signs += f'<span><i style="{_swatch(frozen=False)}"></i>{learns}</span>'
    return f'<div class="tl-key">{signs}</div>'


def _swatch(*, frozen: bool) -> str:
    if not frozen:
        return f"background:{palette.TRAINABLE_COLOR}"
    color = palette.FROZEN_COLOR
    return (
        f"background:repeating-linear-gradient(135deg,color-mix(in srgb,{color} 55%,transparent) "
        f"0 3px,color-mix(in srgb,{color} 28%,transparent) 3px 6px)"
    )


# --- the cost --------------------------------------------------------------------------------


def _show_cost(backbone: Backbone, choice: FreezeChoice, *, n_train: int, n_photos: int) -> None:
    """Layers, weights and time; measures this machine's speed where that was not done yet."""
    if speed.is_coming(backbone):
        _await_measurement(backbone, choice, n_train, n_photos)
    else:
        _show_figures(backbone, choice, n_train, n_photos)


@st.fragment(run_every=1.0)
def _await_measurement(
    backbone: Backbone, choice: FreezeChoice, n_train: int, n_photos: int
) -> None:
    if not jobs.is_measuring(backbone.name):
        st.rerun()
    _show_figures(backbone, choice, n_train, n_photos)


def _show_figures(backbone: Backbone, choice: FreezeChoice, n_train: int, n_photos: int) -> None:
    facts = [
        _("layers frozen **{frozen} of {total}**").format(
            frozen=choice.frozen_layers, total=choice.total_layers
        ),
        _("trainable weights **{n}** and the head's").format(
            n=format.count(choice.trainable_weights)
        )
        if choice.trainable_weights
        else _("trainable weights: **only the head's**"),
        _time_words(backbone, choice, n_train, n_photos),
    ]
    st.markdown(
        "  \n".join(
            f":material/{icon}: {fact}"
            for icon, fact in zip(("layers", "tune", "timer"), facts, strict=True)
        )
    )


def _time_words(backbone: Backbone, choice: FreezeChoice, n_train: int, n_photos: int) -> str:
    """What it costs here: once to look at the photos, and per round."""
    pass_s = costs.expected_pass_s(backbone.name, n_photos)
    steps = technique_table.ATTACK_STEPS[run_setup.value_of("adversarial")]
    frozen = 0 if steps else choice.frozen_blocks  # attacks go through all of it
    epoch_s = costs.expected_epoch_s(backbone.name, frozen, n_train)
    if pass_s is None or epoch_s is None:
        if jobs.is_measuring(backbone.name):
            return _("time on this machine: measuring …")
        if speed.something_runs():
            return _("time on this machine: measured when no training is going on")
        return _("time on this machine: not measured")
    epoch_s *= 2 + steps if steps else 1
    once = format.duration(pass_s)
    each = (
        _("under 1 s") if epoch_s < 1 else _("about {time}").format(time=format.duration(epoch_s))
    )
    return _(
        "on this machine about **{once}** once to look at the photos, then **{each}** a round (epoch)"
    ).format(once=once, each=each)

"""Choosing a backbone: cards with what matters, and getting its weights onto this machine.

Owns: which cards stand in the first row, what a card says in words, the download and the
upload box for weights.
Leaves to others: the table of backbones and where weights come from (`translearn_core`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import backbones, spaces
from translearn_core.backbones import Backbone
from translearn_core.backbones.default import default_backbone, stronger_backbone
from translearn_core.backbones.weights import WeightsStatus, weights_status
from translearn_core.backbones.weights_download import download_weights
from translearn_core.backbones.weights_upload import store_weights
from translearn_core.features import costs
from translearn_core.i18n import N_, _
from translearn_ui.components import background_tasks, format, run_setup
from translearn_ui.shell import frame

FIRST_ROW = ("mobilenet_v2_035", "mobilenet_v2", "efficientnet_v2_b0", "convnext_tiny")
"""From quick and small to strong and slow: the cards that everybody sees."""

STRENGTHS: tuple[tuple[float, str], ...] = (
    (0.80, N_("very strong")),
    (0.75, N_("strong")),
    (0.70, N_("good")),
    (0.0, N_("simple")),
)
"""Least ImageNet top-1 accuracy -> word."""


_downloads: dict[str, str] = {}
"""Backbone -> id of the task that downloads its weights; one for all sessions of this server."""


def choose() -> Backbone:
    """Show the cards and return the chosen backbone."""
    default = default_backbone().name
    chosen = st.session_state.get(run_setup.BACKBONE_KEY) or default
    everything = st.session_state.get("train_all_backbones", False)
    first_row = FIRST_ROW if default in FIRST_ROW else (default, *FIRST_ROW[1:])
    names = [
        name for name in backbones.BACKBONES if everything or name in first_row or name == chosen
    ]
    st.session_state.setdefault(run_setup.BACKBONE_KEY, default)
    name = st.radio(
        _("Backbone"),
        names,
        format_func=lambda name: f"**{_(backbones.BACKBONES[name].title)}**",
        captions=[_describe(backbones.BACKBONES[name], name == default) for name in names],
        key=run_setup.BACKBONE_KEY,
        label_visibility="collapsed",
        persist_state="session",
        width="stretch",
    )
    backbone = backbones.get_backbone(name or default)
    with st.container(horizontal=True, vertical_alignment="center", key="backbone_below"):
        st.toggle(
            _("All {n} backbones").format(n=len(backbones.BACKBONES)),
            key="train_all_backbones",
            persist_state="session",
        )
        st.caption(f"{_(backbone.when)} ({_('licence {name}').format(name=backbone.licence)})")
    if advice := stronger_backbone(backbone):
        st.info(frame.plain(advice), icon=":material/trending_up:")
    return backbone


def _describe(backbone: Backbone, is_default: bool) -> str:
    """A card's lines: strength, size and speed, and whether it is ready."""
    speed = costs.measured(backbone.name)
    pace = (
        _("{rate:,.0f} photos/s here").format(rate=speed["forward_per_s"])
        if speed and speed.get("forward_per_s")
        else ""
    )
    status = weights_status(backbone)
    state = {
        "ready": ":green[:material/check_circle:] " + _("ready"),
        "download": ":blue[:material/download:] "
        + _("to download: {size}").format(size=format.size(status.bytes)),
        "missing": ":orange[:material/block:] " + _("weights missing"),
    }[status.state]
    lines = [
        _describe_strength(backbone),
        " · ".join(filter(None, (_("{size:.0f} MB").format(size=backbone.size_mb), pace))),
        state + (" · " + _("our choice for you") if is_default else ""),
    ]
    return "  \n".join(lines)


def _describe_strength(backbone: Backbone) -> str:
    top1 = backbone.top1
    if top1 is None:
        return _("simple · comes with TransLearn")
    strength = next(word for least, word in STRENGTHS if round(top1, 2) >= least)
    return _("{strength} · {share} on ImageNet").format(
        strength=_(strength), share=format.percent(top1)
    )


def show_weights(backbone: Backbone, *, needed: bool) -> WeightsStatus:
    """Show what is left to do before the backbone's weights are here; nothing when they are.

    Args:
        needed: whether the training starts from them; nothing is offered where it does not.
    """
    task = background_tasks.find(_downloads.get(backbone.name))
    if task is not None and task.finished:
        _downloads.pop(backbone.name, None)
        background_tasks.forget(task)
        if task.cancelled and task.error is not None:
            frame.show_error(task.error)
        elif task.error is not None:
            st.session_state[_failed_key(backbone)] = task.error
        task = None
    status = weights_status(backbone)
    if task is not None:
        background_tasks.show(task)
    elif status.state != "ready" and needed:
        _offer_weights(backbone, status)
    return status


def _failed_key(backbone: Backbone) -> str:
    return f"weights_failed_{backbone.name}"


def _offer_weights(backbone: Backbone, status: WeightsStatus) -> None:
    """Why it cannot be trained yet, and the three ways on: download, a file, another backbone."""
    failed: Exception | None = st.session_state.get(_failed_key(backbone))
    if failed is not None:
        frame.show_error(failed)
    with st.container(border=True, key="weights_box"):
        if not spaces.is_whole():  # what all train with is for whoever runs the machine to bring
            st.markdown(
                _(
                    "The weights of {name} are not on this machine. Ask your teacher to download them, "
                    "or take another backbone."
                ).format(name=_(backbone.title))
            )
            _offer_ready_one(backbone)
            return
        st.markdown(status.sentence)
        with st.container(horizontal=True, key="weights_ways"):
            if status.state == "download":
                st.button(
                    _("Download {size}").format(size=format.size(status.bytes))
                    if failed is None
                    else _("Try the download again"),
                    key="weights_download",
                    icon=":material/download:",
                    on_click=download,
                    args=(backbone,),
                )
            _offer_ready_one(backbone)
        by_hand = failed is not None or status.state == "missing"
        with st.expander(
            _("No network? Bring the file yourself"),
            expanded=by_hand,
            key=f"weights_upload_box_{by_hand}",
        ):
            st.markdown(
                _(
                    "Get the file from\n{url}\nand drop it here, or put it into `{folder}` under the "
                    "name `{file}`."
                ).format(
                    file=frame.plain(status.path.name),
                    url=status.url,
                    folder=frame.plain(str(status.path.parent)),
                )
            )
            file = st.file_uploader(
                _("Weights file"),
                type=[status.path.suffix.removeprefix(".")],
                key=f"weights_upload_{backbone.name}",
            )
            if file is not None:
                with frame.errors_shown():
                    store_weights(backbone, file)
                    st.rerun()


def _offer_ready_one(backbone: Backbone) -> None:
    """The way on without these weights: the same settings on a backbone that is ready."""
    ready = default_backbone()
    if ready.name == backbone.name or weights_status(ready).state != "ready":
        return
    st.button(
        _("Use {name} with these settings").format(name=_(ready.title)),
        key="weights_other",
        icon=":material/swap_horiz:",
        on_click=_choose,
        args=(ready,),
    )


def _choose(backbone: Backbone) -> None:
    st.session_state[run_setup.BACKBONE_KEY] = backbone.name


def download(backbone: Backbone) -> None:
    """Start downloading the weights, unless that is going on."""
    if background_tasks.find(_downloads.get(backbone.name)) is not None:
        return
    st.session_state.pop(_failed_key(backbone), None)

    def work(task: background_tasks.Task) -> object:
        return download_weights(
            backbone,
            progress=lambda done, total: task.report(done // 1000, total // 1000, _("kilobytes")),
            stop=task.stop,
        )

    title = _("Downloading {name}").format(name=_(backbone.title))
    _downloads[backbone.name] = background_tasks.start(title, work).id

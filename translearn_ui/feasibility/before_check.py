"""Before a check: what it tells, which backbone is used, about how long it takes, and the button."""

from __future__ import annotations

import streamlit as st

from translearn_core import backbones, datasets
from translearn_core.backbones.default import default_backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.features import costs
from translearn_core.i18n import _
from translearn_ui.components import format, sort_offer, verdict_note
from translearn_ui.feasibility import photo_actions
from translearn_ui.shell import frame, sort_next

_BACKBONE = "feasible_backbone"


def show(dataset: Dataset) -> None:
    """What a check tells, and the button."""
    try:
        datasets.check_ready(dataset)
    except TransLearnError as error:
        if sort_next.is_next(dataset):
            sort_offer.show(dataset, key="feasible")
            return
        st.info(frame.plain(error.message), icon=":material/info:")
        if st.button(_("Go to the photos"), key="feasible_photos", type="primary"):
            frame.go("photos")
        return
    with st.container(border=True, key="feasible_offer"):
        st.markdown(
            _(
                "Before you train, let a network look at your photos once. You learn:\n"
                "- how often it will be right on new photos, and how sure that is\n"
                "- whether it goes by what you care about, or by colour, size or a watermark\n"
                "- which labels may be wrong, which photos are copies, blurred or dark\n"
                "- what would help most: other labels, more photos, a stronger network"
            )
        )
        backbone = choose_backbone()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                _("Check my photos"),
                key="feasible_start",
                type="primary",
                icon=":material/fact_check:",
                on_click=verdict_note.start,
                args=(dataset, backbone),
            )
            st.caption(_expected(dataset, backbone))
    photo_actions.show_excluded(dataset)


def choose_backbone() -> str:
    """Which network looks: the best that is ready here, unless the person wants another."""
    ready = [
        row.name for row in backbones.BACKBONES.values() if weights_status(row).state == "ready"
    ]
    default = default_backbone().name
    if len(ready) < 2:
        return default
    chosen = st.selectbox(
        _("Network (backbone)"),
        ready,
        index=ready.index(default),
        format_func=lambda name: backbones.get_backbone(name).title,
        key=_BACKBONE,
        persist_state="session",
        width=320,
        help=_("It looks at your photos as it is (frozen). The answer holds for this network."),
    )
    return str(chosen)


def _expected(dataset: Dataset, backbone: str) -> str:
    """About how long it takes, where it is known."""
    look_s = costs.expected_pass_s(backbone, len(dataset.photos))
    if look_s is None:
        return _("Nothing is changed. It goes on when you leave this page.")
    about = format.duration(look_s + 10)
    return _("Takes about {time}. Nothing is changed.").format(time=about)

"""The camera element: its script, its words, and mounting it on a page.

Owns: the scripts in `js/`, one element for recording and live answers, and that each message of a
browser is answered once. Leaves to others: what a message asks for (`requests.py`), the style
(`shell/translearn.css`), the network in the browser (`translearn_core/export/web`).

The scripts are joined to one module; nothing is loaded from elsewhere. A message is
`{"number": int, "requests": [...]}`; its reply, `{"number": int, "answers": [...]}`, goes back with the
data of the element.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from translearn_core.export.writers import WEB_FOLDER
from translearn_core.i18n import _, ngettext
from translearn_ui.components.scripts import DOM

JS = Path(__file__).with_name("js")
PARTS = ("link", "camera", "recorder", "live", "element")

Answer = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


@cache
def script() -> str:
    """The script of the element, one module."""
    network = (WEB_FOLDER / "network.js").read_text(encoding="utf-8")
    prepare = (WEB_FOLDER / "prepare.js").read_text(encoding="utf-8")
    parts = [DOM.read_text(encoding="utf-8")]
    parts += [(JS / f"{name}.js").read_text(encoding="utf-8") for name in PARTS]
    head = [
        f"const NETWORK = {json.dumps(network)};",
        f"const {{ prepare, pattern }} = (() => {{\n{prepare}\nreturn {{ prepare, pattern }};\n}})();",
    ]
    return "\n".join([*head, *parts])


@cache
def _renderer() -> Any:
    return st.components.v2.component(
        "translearn_camera", html='<div class="tl-cam"></div>', js=script(), isolate_styles=False
    )


def mount(key: str, data: dict[str, Any], answer: Answer) -> None:
    """Put the element on the page.

    Args:
        key: of the element.
        data: `recorder` and `live`, each with what that part shows, or None; `place`, what photos go
            to.
        answer: answers the requests of a message, in their order.
    """
    reply_key = f"{key}_reply"

    def receive() -> None:
        message: Any = (st.session_state.get(key) or {}).get("sent")
        before: dict[str, Any] = st.session_state.get(reply_key) or {"number": 0}
        if not _is_message(message) or message["number"] <= before["number"]:
            return
        answers = answer(message["requests"])
        st.session_state[reply_key] = {"number": message["number"], "answers": answers}

    reply = st.session_state.get(reply_key)
    _renderer()(
        key=key,
        data={**data, "words": _words(), "reply": reply},
        on_sent_change=receive,
    )
    if reply is not None:  # what is large goes once
        st.session_state[reply_key] = {"number": reply["number"], "answers": []}


def _is_message(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and isinstance(message.get("number"), int | float)
        and isinstance(message.get("requests"), list)
        and all(isinstance(one, dict) for one in message["requests"])
    )


def counted(one: str, other: str) -> dict[str, str]:
    """A sentence with a number for the scripts: for one, and for any other number."""
    return {"one": one, "other": other}


def _words() -> dict[str, Any]:
    """What the camera and the recorder say."""
    return {
        "preview": _("What the camera sees"),
        "which": _("Camera"),
        "turn": _("Turn the camera"),
        "on": _("Turn the camera on"),
        "off": _("Turn the camera off"),
        "again": _("Try the camera again"),
        "camera_n": _("Camera {n}"),
        "insecure": _(
            "This page came over http from another machine, and browsers lend the camera only to "
            "https pages and to the machine itself. Take photos with “Choose or take photos” instead."
        ),
        "none": _("No camera was found. Connect one, or use “Choose or take photos”."),
        "refused": _(
            "The browser was not allowed to use the camera. Allow it beside the address, then try "
            "again; or use “Choose or take photos”."
        ),
        "busy": _("The camera does not answer. Close other programs that use it, then try again."),
        "name": _("Name of the class"),
        "hold": _("Hold to record"),
        "recording": _("Recording…"),
        "hold_for": _("Hold to record {name}"),
        "files": _("Choose or take photos"),
        "files_for": _("Choose or take photos of {name}"),
        "photos": counted(
            ngettext("{n} photo", "{n} photos", 1), ngettext("{n} photo", "{n} photos", 2)
        ),
        "more": _("and {n} more"),
        "remove": _("Remove photo {n} of {name}"),
        "removed": _("Removed from {name}."),
        "undo": _("Undo"),
        "rate": _("Photos per second"),
        "per_second": _("{n} per second"),
        "add": _("Add a class"),
        "drop": _("Remove the empty class {name}"),
        "class_n": _("Class {n}"),
        "taken": _("There is a class {name} already. Give this one another name."),
        "recorded": counted(
            ngettext("{n} photo of {name} recorded.", "{n} photos of {name} recorded.", 1),
            ngettext("{n} photo of {name} recorded.", "{n} photos of {name} recorded.", 2),
        ),
        "recorded_pile": counted(
            ngettext("{n} photo recorded.", "{n} photos recorded.", 1),
            ngettext("{n} photo recorded.", "{n} photos recorded.", 2),
        ),
        "taken_up": counted(
            ngettext(
                "{n} photo that was on its way when you left was added now.",
                "{n} photos that were on their way when you left were added now.",
                1,
            ),
            ngettext(
                "{n} photo that was on its way when you left was added now.",
                "{n} photos that were on their way when you left were added now.",
                2,
            ),
        ),
        "slow": _("The photos come faster than they can be stored. Wait a moment, then go on."),
        "unread": counted(
            ngettext(
                "{n} file cannot be read as a photo by this browser. Save it as JPEG.",
                "{n} files cannot be read as photos by this browser. Save them as JPEG.",
                1,
            ),
            ngettext(
                "{n} file cannot be read as a photo by this browser. Save it as JPEG.",
                "{n} files cannot be read as photos by this browser. Save them as JPEG.",
                2,
            ),
        ),
    }

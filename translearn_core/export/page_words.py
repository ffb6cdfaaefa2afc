"""The words of an exported web page, in the language of whoever exports it.

Owns: the sentences of `web/page.js` and `web/index.html`, and putting them into the script.
Leaves to others: the page itself (`web/`), writing it (`writers.py`).

The script names a sentence by its key (`say("ready")`), the page in an attribute (`data-say`).
"""

from __future__ import annotations

import json
from pathlib import Path

from translearn_core.i18n import ENGLISH, N_, _, language, tag

_PLACE = "const WORDS = {};"
_REASONS = (
    N_("is damaged or cut off"),
    N_("is damaged: a part of it is missing"),
    N_("has more than 100 million pixels"),
    N_("is larger than 100 MB"),
    N_("is empty (0 bytes)"),
)
"""Why a file is no photo, as `files.js` and `prepare.js` say it."""


def page_script(script: Path) -> str:
    """The script of the page with its words.

    Raises:
        ValueError: the script has no place for them.
    """
    text = script.read_text(encoding="utf-8")
    if text.count(_PLACE) != 1:
        raise ValueError(f"{script.name} has no place for its words")
    words = json.dumps(_words(), ensure_ascii=False, indent=1).replace("<", "\\u003c")
    return text.replace(_PLACE, f"const WORDS = {words};")


def _words() -> dict[str, object]:
    code = language.get()
    return {
        "language": tag(code),
        "percent": "{n}%" if code.startswith("zh") else "{n} %",
        "reasons": {} if code == ENGLISH else {reason: _(reason) for reason in _REASONS},
        "no_runtime": _("This browser does not run the model. Try another browser."),
        "differs": _("This browser computes other answers than TransLearn. Try another browser."),
        "from_disk": _(
            "A browser loads no other file beside a page opened from a disk: README.txt says how to "
            "open this folder. The web page in one file opens by double click."
        ),
        "part_missing": _(
            "{name} could not be loaded. Is the whole folder here, and is its server still running?"
        ),
        "not_sure": _("Not sure. Closest: {name}"),
        "of_task": _("{task}: {answer}"),
        "looking": _("Looking at photo {n} of {total}"),
        "no_photo": _("{file} {reason}."),
        "unreadable": _("cannot be read as a photo by this browser"),
        "not_read": _("is of a kind that this browser does not read: save it as JPEG or PNG"),
        "one_answered": _("1 photo answered."),
        "answered": _("{n} photos answered."),
        "camera_refused": _(
            "The camera cannot be used: allow it in the browser, and close what else uses it. Photos "
            "can be chosen all the same."
        ),
        "camera_ended": _("The camera stopped: {cause}"),
        "camera_on": _("Use the camera"),
        "camera_off": _("Stop the camera"),
        "no_camera_from_disk": _(
            "This browser lends no camera to a page opened from a disk: choose photos, or open the "
            "page in Chrome, Edge or Firefox."
        ),
        "no_camera": _(
            "A browser lends the camera only to https pages and to this machine: choose or take "
            "photos."
        ),
        "knows": _("It knows: {classes}"),
        "ready": _("Ready. Checked in this browser: it answers as TransLearn does."),
        "title": _("What is on the photo?"),
        "opening": _("Opening the model…"),
        "drop": _("Drop photos here, or"),
        "choose": _("Choose photos"),
        "shot": _("Take a photo"),
        "turn": _("Other camera"),
        "stays": _("Photos stay in this browser: nothing is sent anywhere."),
    }

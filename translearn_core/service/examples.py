"""How another program asks a run: the command that serves it, and lines to copy.

Owns: these texts; `tests/service/test_examples.py` runs each. Leaves to others: showing them
(`translearn_ui/share/ask_view.py`), the service itself.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass

from translearn_core.i18n import _
from translearn_core.prediction.predict import has_copy
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name

PORT = 8000
PHOTO = "photo.jpg"
"""The file that the examples ask about, in the folder where they run."""

_CURL = "curl -F photos=@{photo} {address}"
_PYTHON = """\
import json
import urllib.request

with open("{photo}", "rb") as file:
    request = urllib.request.Request(
        "{address}",
        data=file.read(),
        headers={{"Content-Type": "application/octet-stream"}},
    )
with urllib.request.urlopen(request) as response:
    answer = json.load(response)["predictions"][0]
print(answer["label"], answer["confidence"], "" if answer["sure"] else "(not sure)")
"""
_JAVASCRIPT = """\
import {{ readFile }} from "node:fs/promises";

const response = await fetch("{address}", {{
  method: "POST",
  headers: {{ "Content-Type": "application/octet-stream" }},
  body: await readFile("{photo}"),
}});
const [answer] = (await response.json()).predictions;
console.log(answer.label, answer.confidence, answer.sure ? "" : "(not sure)");
"""


@dataclass(frozen=True, kw_only=True)
class Example:
    """Lines to copy. `language` as in a code block; `file` is what to call it, empty for a command."""

    title: str
    language: str
    text: str
    file: str = ""


def obstacle(run: Run) -> str:
    """Why a run cannot be served, as a sentence; empty where it can."""
    if has_copy(run):
        return ""
    return _(
        "This model has no OpenVINO copy, which the service answers with. Download it in another "
        "format, or train it again."
    )


def model_name(run: Run) -> str:
    """The name of a run in an address, from what it is called."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", display_name(run)).strip("-.").lower()
    return name[:60] or "model"


def command(run: Run, *, port: int = PORT) -> str:
    """The command that serves a run."""
    served = f"{model_name(run)}={run.folder.resolve()}"
    written = f'"{served}"' if os.name == "nt" else shlex.quote(served)
    suffix = "" if port == PORT else f" --port {port}"
    return f"python -m translearn_core serve {written}{suffix}"


def examples(run: Run, *, port: int = PORT) -> list[Example]:
    """How curl, Python and JavaScript ask it on this machine."""
    values = {
        "address": f"http://127.0.0.1:{port}/v1/models/{model_name(run)}:predict",
        "photo": PHOTO,
    }
    return [
        Example(title="curl", language="bash", text=_CURL.format(**values)),
        Example(title="Python", language="python", text=_PYTHON.format(**values), file="ask.py"),
        Example(
            title="JavaScript",
            language="javascript",
            text=_JAVASCRIPT.format(**values),
            file="ask.mjs",
        ),
    ]

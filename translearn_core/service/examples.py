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
KEYS = "keys"
"""The key file of the commands, in the folder of TransLearn."""
VARIABLE = "KEY"
"""The environment variable that the examples read their key from."""

_CURL = "curl{key}-F photos=@{photo} {address}"
_CURL_KEY = ' -H "Authorization: Bearer {variable}" '
_PYTHON = """\
import json{imports}
import urllib.request

with open("{photo}", "rb") as file:
    request = urllib.request.Request(
        "{address}",
        data=file.read(),
        headers={{"Content-Type": "application/octet-stream"{key}}},
    )
with urllib.request.urlopen(request) as response:
    answer = json.load(response)["predictions"][0]
print(answer["label"], answer["confidence"], "" if answer["sure"] else "(not sure)")
"""
_PYTHON_KEY = ', "Authorization": "Bearer " + os.environ["{variable}"]'
_JAVASCRIPT = """\
import {{ readFile }} from "node:fs/promises";

const response = await fetch("{address}", {{
  method: "POST",
  headers: {{ "Content-Type": "application/octet-stream"{key} }},
  body: await readFile("{photo}"),
}});
const [answer] = (await response.json()).predictions;
console.log(answer.label, answer.confidence, answer.sure ? "" : "(not sure)");
"""
_JAVASCRIPT_KEY = ", Authorization: `Bearer ${{process.env.{variable}}}`"


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


def command(run: Run, *, port: int = PORT, with_keys: bool = False) -> str:
    """The command that serves a run; with keys, to other machines too."""
    served = f"{model_name(run)}={run.folder.resolve()}"
    written = f'"{served}"' if os.name == "nt" else shlex.quote(served)
    suffix = f" --host 0.0.0.0 --keys {KEYS}" if with_keys else ""
    suffix += "" if port == PORT else f" --port {port}"
    return f"python -m translearn_core serve {written}{suffix}"


def key_command() -> str:
    """The command that makes a key for a client and prints it."""
    return f"python -m translearn_core serve-key {KEYS} shop"


def examples(run: Run, *, port: int = PORT, with_keys: bool = False) -> list[Example]:
    """How curl, Python and JavaScript ask it on this machine."""
    address = f"http://127.0.0.1:{port}/v1/models/{model_name(run)}:predict"
    in_shell = f"%{VARIABLE}%" if os.name == "nt" else f"${VARIABLE}"

    def filled(template: str, key: str, *, without: str = "", **more: str) -> str:
        return template.format(
            address=address, photo=PHOTO, key=key if with_keys else without, **more
        )

    return [
        Example(
            title="curl",
            language="bash",
            text=filled(_CURL, _CURL_KEY.format(variable=in_shell), without=" "),
        ),
        Example(
            title="Python",
            language="python",
            text=filled(
                _PYTHON,
                _PYTHON_KEY.format(variable=VARIABLE),
                imports="\nimport os" if with_keys else "",
            ),
            file="ask.py",
        ),
        Example(
            title="JavaScript",
            language="javascript",
            text=filled(_JAVASCRIPT, _JAVASCRIPT_KEY.format(variable=VARIABLE)),
            file="ask.mjs",
        ),
    ]

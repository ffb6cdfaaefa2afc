"""Fills in the templates of generated texts (Jinja2): the HTML report, programs, readme files.

Owns: the templates in the folders beside it (`report`, `classify`, `script`) and the environment
that they are filled in with. Leaves to others: the values (`reports/report.py`, `export/keras_script_code.py`,
`export/program.py`).

Templates that end in `.html.j2` escape every value; only what is marked `safe` stands as it is.
A value that a template names and nobody gives is an error. `_()` and `ngettext()` of `i18n.py`
are at hand in every template. Jinja2 is imported when the first text is made.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from translearn_core.i18n import _, ngettext

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).resolve().parent


def render(name: str, /, **values: Any) -> str:
    """The text of a template, like `report/report.html.j2`."""
    return _environment().get_template(name).render(values)


def render_block(name: str, block: str, /, **values: Any) -> str:
    """The text of one block of a template."""
    template = _environment().get_template(name)
    return "".join(template.blocks[block](template.new_context(values)))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update({"_": _, "ngettext": ngettext})
    environment.filters["json"] = _to_json
    environment.filters["repr"] = repr
    return environment


def _to_json(value: Any) -> str:
    """JSON that is a Python literal as well; for lists, dictionaries, texts and numbers."""
    return json.dumps(value, ensure_ascii=False)

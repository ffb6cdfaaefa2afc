"""What `--help` says, in the language of the command.

Owns: finding the help texts of the commands and their options, which stand in English where each is
declared, and putting translations in their place. Leaves to others: the texts (the modules beside
it), the language (`i18n.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from translearn_core.i18n import _


def sentences(app: typer.Typer) -> list[str]:
    """All help texts, each once, for the catalogues."""
    found = [getattr(holder, name) for holder, name in _places(typer.main.get_command(app))]
    return list(dict.fromkeys(inspect.cleandoc(text) for text in found))


def translated(app: typer.Typer) -> Any:
    """The command of `app`, with its help texts translated."""
    command = typer.main.get_command(app)
    for holder, name in _places(command):
        setattr(holder, name, _(inspect.cleandoc(getattr(holder, name))))
    return command


def _places(command: Any) -> Iterator[tuple[Any, str]]:
    """Each help text: what has it, and the name of the attribute."""
    if command.help:
        yield command, "help"
    for parameter in command.params:
        if getattr(parameter, "help", None):
            yield parameter, "help"
    for further in getattr(command, "commands", {}).values():
        yield from _places(further)

"""The one Typer app that all commands belong to, and the options that several of them have."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Teach a computer to tell photos apart, on this machine, without code.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]

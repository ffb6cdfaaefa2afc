"""The one Typer app that all commands belong to, and the options that several of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train and use image classifiers by transfer learning, on this machine, without code.",
)

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="A folder or archive (zip, tar, 7z) whose folders are the classes, or a manifest: a "
        "CSV or Parquet file, or its address, with a path and a label for each photo."
    ),
]
TestSourceOption = Annotated[
    Path | None, typer.Option(help="Test set: photos in folders of the same names.")
]
BackboneOption = Annotated[
    str, typer.Option(help="Pretrained network: a name that `backbones` lists.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]

"""The pages of `docs/` that are made from tables of the code, so that they cannot disagree.

Owns: `docs/settings.md`, `docs/configuration.md`, `docs/backbones.md`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from translearn_core.backbones import BACKBONES, blocks_of
from translearn_core.config import Configuration, Limits, allowed_values, setting_fields

DOCS = Path(__file__).resolve().parent.parent / "docs"


def settings_page() -> str:
    """Every setting of a run."""
    lines = [
        "# Settings of a run",
        "Nothing here has to be touched. On the command line: `--set NAME=VALUE`.",
    ]
    for name, field in setting_fields().items():
        extra = field.json_schema_extra
        expert = extra["expert"] if isinstance(extra, dict) else ""
        default = f"`{field.default}`" if field.default != "" else "empty"
        lines += [
            "",
            f"## `{name}`: {field.title}",
            str(field.description),
            "",
            f"Allowed: {allowed_values(name)}. Default: {default}.",
            "",
            f"For the expert: {expert}",
        ]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """Every value of config.toml."""
    lines = [
        "# Configuration of an installation",
        "Values in `config.toml` in the workspace (`TRANSLEARN_HOME`, else `TransLearn` in the home "
        "directory). An environment variable `TRANSLEARN_` and the name in capitals overrides one: "
        "`TRANSLEARN_SLOTS=2`. `TRANSLEARN_SOURCE_FOLDERS` is a list separated as `PATH` is; "
        "`TRANSLEARN_LIMITS` is a JSON object.",
        "",
        "```toml",
        'source_folders = ["/srv/photos"]   # folders that the page may read photos from',
        "slots = 1",
        "",
        "[limits]",
        "classes = 300",
        "```",
        "",
        *_rows(Configuration, skip={"limits"}),
        "",
        "## `[limits]`",
        "",
        *_rows(Limits),
    ]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], skip: frozenset[str] | set[str] = frozenset()) -> list[str]:
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if name not in skip:
            default = "none" if field.default == () else field.default
            rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def backbones_page() -> str:
    """Every backbone."""
    lines = [
        "# Backbones",
        "Size is that of the weights without the classes of ImageNet; top-1 is the share of "
        "ImageNet's validation photos named right at the first guess, as published. Photos get the "
        "size in the table unless another is chosen. For MobileNetV2 that is 288 pixels: on frozen "
        "features of the 0.35 variant a support vector machine was right more often than at 224 on "
        "four of five photo sets (by 0.003 to 0.018), and less often by 0.005 on the fifth. `starter` is our "
        "own and ships with TransLearn: [its card](starter.md).",
        "",
        "| name | size | parameters | photo | blocks | top-1 | licence | choose it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in BACKBONES.values():
        top1 = f"{row.top1:.1%}" if row.top1 else "-"
        lines.append(
            f"| `{row.name}` | {row.size_mb:.0f} MB | {row.parameters:,} | {row.own_size} px | "
            f"{len(blocks_of(row).blocks)} | {top1} | {row.licence} | {row.when} |"
        )
    return "\n".join(lines) + "\n"


PAGES = {
    "settings.md": settings_page,
    "configuration.md": configuration_page,
    "backbones.md": backbones_page,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The pages of `docs/` that are made from tables of the code, so that they cannot disagree.

Owns: `docs/settings.md`, `docs/configuration.md`, `docs/backbones.md`, `docs/checks.md`,
`docs/feasible.md`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from translearn_core.backbones import BACKBONES
from translearn_core.config import Configuration, Limits, allowed_values, setting_fields
from translearn_core.feasible_report import Report
from translearn_core.findings import CHECKS_TABLE
from translearn_core.freezing import blocks_of
from translearn_core.properties import PROPERTIES
from translearn_core.verdict import GOOD, RULES, SURE, TITLES, USEFUL, WEAKEST

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


def checks_page() -> str:
    """Every check of the photos, and how copies are told."""
    lines = [
        "# Checks of the photos",
        "What is looked for when photos are checked (the page *Can this work?*, or `python -m "
        "translearn_core feasible SOURCE`). Each finding has a score in [0, 1]: how sure it is that "
        "something is wrong; a check flags from its threshold on. Nothing is changed without a "
        "click: exclude a photo (it is kept aside and can come back), move it to another class, or "
        "keep it as it is.",
        "",
        "| check | name | from | when | what to do |",
        "|---|---|---|---|---|",
    ]
    for check in CHECKS_TABLE:
        lines.append(
            f"| {check.title} | `{check.name}` | {check.threshold:g} | {check.rule}. {check.sentence} "
            f"| {check.advice} |"
        )
    lines += [
        "",
        "Dark, bright, low information, odd shape, odd size, grey and part of blurred follow the "
        "definitions of CleanVision 0.3; [how far both agree, and how many seeded faults are "
        "found](benchmarks.md#can-this-work), is measured.",
        "",
        "## Copies and bursts",
        "Candidates are photos whose perceptual hashes differ in at most 10 of 64 bits, and near "
        "neighbours among the features of the network. Then one photo is laid over the other (a "
        "cut, a shift, a slight turn, other light), and three things are asked: do they correlate "
        "in whole, in fine structure, and in features? Their mean decides: from 0.94 on it is a near "
        "copy. Photos that a network finds nearly the same and that agree in whole are frames of a "
        "burst. Copies and frames form groups, and a group lies on one side of every split.",
        "",
        "## What gives a class away",
        "A small decision tree learns from one property at a time and is judged on photos that it "
        "has not seen.",
        "",
        "| property | name | counts for colour and size alone | gives a class away from |",
        "|---|---|---|---|",
    ]
    for one in PROPERTIES:
        least = f"{one.giveaway.least:g}" if one.giveaway else "never: things may differ in it"
        if one.giveaway and one.giveaway.least_narrow < 1:
            least += f", or {one.giveaway.least_narrow:g} where it takes few parts of the photo"
        counted = "yes" if one.counted else "no"
        lines.append(f"| {one.title} | `{one.name}` | {counted} | {least} |")
    return "\n".join(lines) + "\n"


def feasible_page() -> str:
    """What the verdict follows from, and the fields of the report."""
    answers = [f"- **{title}** (`{name}`)" for name, title in TITLES.items()]
    rules = [f"| {place} | {rule.when} | `{rule.verdict}` |" for place, rule in enumerate(RULES, 1)]
    fields = [
        f"| `{name}` | {field.description} |"
        for name, field in Report.model_fields.items()
        if field.description
    ]
    lines = [
        "# Can this work with my photos?",
        "An answer before anyone trains: on the page *Can this work?*, or by",
        "",
        "```",
        "python -m translearn_core feasible SOURCE [--json] [--backbone NAME] [--seed N]",
        "```",
        "",
        "A frozen network looks at each photo once; a linear head learns from what it saw and is "
        "judged on photos that it did not learn from. That takes seconds once the photos were looked "
        "at, and training afterwards starts from the same features.",
        "",
        "## The four answers",
        *answers,
        "",
        "The first rule that holds decides. The mistakes of guessing are those of always answering "
        "the largest class, or of a head that learned from shuffled labels, whichever is better: 90 % "
        "accuracy where guessing gets 80 % avoids half of them.",
        "",
        "| | when | answer |",
        "|---|---|---|",
        *rules,
        "",
        f"The bounds ({SURE:g} standard deviations, {USEFUL:g}, {GOOD:g}, {WEAKEST:g}) stand in "
        "`translearn_core/verdict.py`.",
        "",
        "## The figures",
        "- **Accuracy.** Stratified group k-fold cross-validation, repeated: up to ten folds and three "
        "repeats, fewer for many photos. Copies and frames of one burst lie in one fold "
        "([how they are told](checks.md#copies-and-bursts)). The head is a logistic regression on "
        "standardised features; its one penalty is chosen out of six by the log-loss of one "
        "division. Of more than 4,000 photos 4,000 are judged, whole groups, each class its share.",
        "- **Interval.** Wilson's 95 % interval for as many photos as the groups are worth (Kish), "
        "halved, because folds share most of what they learn from. It is meant to hold the accuracy "
        "on new photos of a head that learned from so many; "
        "[how often it does](benchmarks.md#can-this-work) is measured.",
        "- **Colour and size alone.** The same head on size, kind of file, brightness, colours and "
        "background instead of what the network saw.",
        "- **Shuffled labels.** The labels of groups change places, several times; what is then still "
        "right is luck. It is the yardstick for *no sign that it can*.",
        "- **The random split.** The same cross-validation with copies torn apart by lot, as most "
        "programs split. Where it is higher than the accuracy, the difference is self-deception.",
        "- **Learning curve and forecast.** Heads learn from a half, a quarter ... of the photos. "
        "All sane curves a - b * n ** -c are weighted by how well they go through the points and by "
        "what is usual; their mean at twice as many photos is the forecast. Its past error is that "
        "of the same forecast made without the last point.",
        "- **What would help.** First what makes the figures doubtful; then by expected gain: labels "
        "(the probability of the suggested classes), photos of the classes that gained most from the "
        "last doubling, photos of everything (the forecast), a stronger backbone (by its accuracy on "
        "sets measured here).",
        "- **The map.** Principal components, and t-SNE begun from them; of more than 2,000 photos "
        "2,000 and all suspects are drawn.",
        "",
        "A linear head on frozen features is the floor of what training reaches: the default recipe "
        "adds a hidden layer and varied views, and fine-tuning adapts the network itself.",
        "",
        "## The report",
        "`--json` prints it, `<data set>/feasible/report.json` holds it. Shares are in [0, 1].",
        "",
        "| field | meaning |",
        "|---|---|",
        *fields,
        "",
        "Beside it lie `photos.parquet` (a row per photo: class, group, place on the map, answer, "
        "probability of its class, suspicion) and `findings.json`.",
    ]
    return "\n".join(lines) + "\n"


PAGES = {
    "checks.md": checks_page,
    "feasible.md": feasible_page,
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

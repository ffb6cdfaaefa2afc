"""The texts that go with an exported model: the program, its readme, its labels.

Owns: their wording. Leaves to others: what opens the model (a row of `export.FORMATS`) and how a
photo is prepared (`prepare.py`, which goes along word for word).
They are read outside the app, by anyone, and are therefore in English.
"""

from __future__ import annotations

import json
from pathlib import Path

from translearn_core.decision import read_decision
from translearn_core.export import Format
from translearn_core.heads import load_heads
from translearn_core.runs import Run

PROGRAM = '''\
"""Names what is on photos: python classify.py FOLDER

Needs: {pip}
Prints a table (CSV): file, answer, whether it is sure, and the probability of every class; where
the model answers more questions at once (tasks), theirs follow, then each answer and whether it is
sure.
"""

import csv
import json
import sys
from pathlib import Path

{opening}

more = labels.get("tasks", [])  # further questions that the same look answers
names = [*labels["classes"], *(f"{{task['name']}}: {{name}}" for task in more for name in task["classes"])]
questions = [name for task in more for name in (task["name"], f"{{task['name']}}: sure")]
table = csv.writer(sys.stdout)
table.writerow(["file", "answer", "sure", *names, *questions])


def answer(classes, shares):
    best = shares.argmax()
    return [classes[best], "yes" if shares[best] >= labels["sure_from"] else "no"]


place = Path(sys.argv[1])
for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
    try:
        photo = prepare(file, labels["image_size"])
    except (OSError, SyntaxError, ValueError) as error:
        print(f"{{file}}: {{error}}", file=sys.stderr)
        continue
    shares = ask(photo)  # one probability for each class of each question
    answers, at = [], 0
    for classes in (labels["classes"], *(task["classes"] for task in more)):
        answers += answer(classes, shares[at : at + len(classes)])
        at += len(classes)
    table.writerow([file, *answers[:2], *(f"{{share:.9f}}" for share in shares), *answers[2:]])
'''
_PREPARATION = """\
from prepare import prepare

here = Path(__file__).resolve().parent
labels = json.loads((here / "labels.json").read_text(encoding="utf-8"))
sys.stdout.reconfigure(encoding="utf-8")
"""

README = """\
{name}
{line}

{what}

What is in this folder
{files}

How to use it
{steps}

What goes in
  A photo, turned upright, in RGB, stretched to {size} x {size} pixels, as numbers from 0 to 255.
  The scaling of pixels is inside the model: do not divide by 255.{prepare}

What comes out
  A probability for each class: {classes}
  Below {sure_from:.0%} the answer counts as "not sure". The model always prefers one of its
  classes, even for a photo of something else.{tasks}

How good it is
  {quality}

Does it answer as TransLearn does?
  {parity}
  parity.json has the figures.
"""
_PREPARE = """
  prepare.py does this exactly as TransLearn does; other ways of resizing give slightly different
  answers. HEIC photos need one more package: pip install pi-heif
"""


def program(row: Format) -> str:
    """The program of a format."""
    lines = row.opening.format(model=row.model) if "{model}" in row.opening else row.opening
    imports, _empty, rest = lines.partition("\n\n")
    opening = f"{imports}\n{_PREPARATION}{rest}".rstrip()
    return PROGRAM.format(pip=row.pip, opening=opening)


def labels_json(run: Run) -> str:
    """The names of the classes, the side of the photos, from when on an answer is sure, and the
    classes of further tasks."""
    content = json.loads((run.folder / "labels.json").read_text(encoding="utf-8"))
    content["name"] = run.config.name or run.config.dataset_name or run.id
    content["sure_from"] = read_decision(run.folder).sure_from
    heads = load_heads(run.folder)
    if heads:
        content["tasks"] = [{"name": head.name, "classes": list(head.classes)} for head in heads]
    return json.dumps(content, ensure_ascii=False, indent=1)


def prepare_py() -> str:
    """The preparation of a photo."""
    return Path(__file__).with_name("prepare.py").read_text(encoding="utf-8")


def readme(run: Run, row: Format, *, parity: str) -> str:
    """The page that explains the folder.

    Args:
        parity: what the check found, in a sentence.
    """
    labels = json.loads((run.folder / "labels.json").read_text(encoding="utf-8"))
    name = run.config.name or run.config.dataset_name or run.id
    title = f"{name}, as {row.title}"
    files = {row.model: "the model", "labels.json": "class names in the order of the outputs"}
    files |= dict(row.extra_files)
    if row.program:
        files["classify.py"] = "names what is on photos, in a few lines of Python"
        files["prepare.py"] = "how a photo is prepared for the model"
    files["parity.json"] = "how near this copy is to TransLearn's own answers"
    width = max(map(len, files)) + 2
    return README.format(
        name=title,
        line="=" * len(title),
        what=row.what,
        files="\n".join(f"  {file:<{width}}{words}" for file, words in files.items()),
        steps=_steps(row),
        size=labels["image_size"],
        prepare=_PREPARE.rstrip("\n") if row.program else "",
        classes=", ".join(labels["classes"]),
        sure_from=read_decision(run.folder).sure_from,
        tasks=_tasks(run),
        quality=_quality(run),
        parity=parity,
    )


def _tasks(run: Run) -> str:
    """What follows the probabilities of the classes, where there are further tasks."""
    heads = load_heads(run.folder)
    if not heads:
        return ""
    lines = "".join(f"\n    {head.name}: {', '.join(head.classes)}" for head in heads)
    return (
        f"\n  In the same row follow the probabilities of further questions (tasks):{lines}"
        '\n  "Not sure" holds for each of them alike.'
    )


def _steps(row: Format) -> str:
    steps = row.steps or (
        "Install Python 3.11 or newer.",
        row.pip,
        "python classify.py FOLDER_OF_PHOTOS > answers.csv",
    )
    return "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))


def _quality(run: Run) -> str:
    if not run.has_result or not run.metrics.get("n_test"):
        return "Not measured: it was brought in from elsewhere, or no photos were kept for a test."
    metrics = run.metrics
    first = (
        f"Right on {metrics['test_correct']} of {metrics['n_test']} photos that it had not seen "
        f"while learning ({metrics['test_accuracy']:.0%})."
    )
    further = [
        f"{task['name']}: right on {task['test_correct']} of {task['n_test']}."
        for task in (metrics.get("tasks") or [])[1:]
    ]
    return "\n  ".join([first, *further])

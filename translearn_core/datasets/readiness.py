"""Whether a data set can be trained on, and what forbids it.

Leaves to others: what a person should know beside that (`checks.py`), bounds (`installation_limits.py`).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from translearn_core.config import load_configuration
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.file_names import group_lookalikes
from translearn_core.datasets.manifest_checks import list_names
from translearn_core.datasets.split import scarce_groups
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext


def check_ready(dataset: Dataset) -> None:
    """Make sure that the data set can be trained on.

    Raises:
        SourceError: it has no class or only one, a class with a single photo or none to learn
            from, more classes than allowed, or one named group in each class; the sentence names
            them.
    """
    obstacle = dataset.known("obstacle", lambda: _find_obstacle(dataset))
    if obstacle:
        raise SourceError(obstacle)


_TABLES = (".csv", ".tsv", ".xlsx")


def _find_obstacle(dataset: Dataset) -> str:
    """Why it cannot be trained on; empty where it can."""
    counts = dataset.counts
    limit = load_configuration().limits.classes
    if not len(counts):
        return _("There are no photos yet. Add photos of at least two classes.")
    if len(counts) == 1:
        only_one = _(
            "There is only one class, {name}. Add photos of at least one other class: you need "
            "two or more."
        ).format(name=counts.index[0])
        return f"{only_one} {_tell_table(dataset)}".strip()
    if len(counts) > limit:
        return _(
            "There are {n} classes; at most {limit} can be told apart here. Whoever runs this "
            "can raise `limits.classes` in config.toml."
        ).format(n=len(counts), limit=limit)
    single = [str(name) for name, n in counts.items() if n < 2]
    if single:
        return ngettext(
            "The class {names} has a single photo: one is needed to learn from and one to "
            "test with. Add photos to it, or remove it.",
            "The classes {names} have a single photo each: one is needed to learn from and one "
            "to test with. Add photos to them, or remove them.",
            len(single),
        ).format(names=list_names(single))
    photos = dataset.photos
    held_out = photos["split"].isin(["val", "test"])
    nothing = sorted(set(counts.index) - set(photos.loc[~held_out, "class_name"]))
    twins = [names for names in group_lookalikes(list(counts.index)) if set(names) & set(nothing)]
    if twins:
        return _(
            "All photos of {names} are kept for validation or the test, while there are training photos of a "
            "class of nearly the same name ({twins}). Give both folders one name."
        ).format(names=list_names(nothing), twins=list_names(twins[0]))
    if nothing:
        return _(
            "All photos of {names} are kept for validation or the test: there is none to "
            "learn from. Add some to the training photos."
        ).format(names=list_names(nothing))
    groups = scarce_groups(dataset)
    if all(groups.get(str(name)) == 1 for name in counts.index):
        return _(
            "Every class lies in one group only ({by}), so none can be kept for the test, and "
            "nothing says how a new group would be told apart. Add photos of more groups, or do "
            "without them (`--group-by none`, or on the page Photos)."
        ).format(by=dataset.record.grouped_by)
    return ""


def _tell_table(dataset: Dataset) -> str:
    """That a table lies among the photos, which may name their classes; empty without one."""
    files = [str(file) for file in dataset.left_out["file"]]
    tables = [file for file in files if PurePosixPath(file).suffix.lower() in _TABLES]
    if not tables:
        return ""
    return _(
        "If the table {file} names the classes of the photos, give it with them as a table of labels."
    ).format(file=tables[0])

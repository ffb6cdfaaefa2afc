"""The class and the split of a photo from its path alone.

Owns: the rule of classes and splits (`read_layout`). Leaves to others: what names say
(`folder_words.py`), which folders are classes once splits are known (`class_folders.py`), what a
person chose (`import_choices.py`), reading folders and archives.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from translearn_core.datasets.class_folders import (
    ClassFinder,
    Folder,
    FolderTree,
    common_folder,
    list_folders,
)
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.folder_words import (
    is_everyday,
    is_unlabelled,
    may_be_no_class,
    split_kind,
)
from translearn_core.datasets.import_choices import ROLES, ImportChoices
from translearn_core.datasets.questions import Question
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext


@dataclass(frozen=True)
class ClassAssignment:
    """Class and split of a photo; `reason` says why it has no class, `folder` is the folder that
    is left out as a whole for it."""

    class_name: str = ""
    split: str = ""
    reason: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Layout:
    """The assignments, one for each path, and what should be said and asked of how folders were
    read."""

    assignments: list[ClassAssignment]
    notices: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def read_layout(paths: Sequence[str], choices: ImportChoices | None = None) -> Layout:
    """Assign class and split to each photo from its folders.

    1.  A folder with the name of a split (`split_kind`) is a split layer when photos lie in
        further folders below it, and is then taken out of the path; so is a folder of the same
        split right inside it (`seg_train/seg_train`). Folders beside layers that include the
        training photos are left out, and so are photos directly in a layer. One such folder alone
        beside two or more others is a class (`train/steam`, `bus`, `car`), unless those others
        have the names of the folders inside it; so is one called by an everyday word of another
        language (`is_everyday`) beside a single other that shares no name inside
        (`apprentissage/2020`, `loisir/2021`). Photos directly in a folder of such a name
        belong to a class of that name (trains, buses and cars are a fair data set); where no
        other class is there at all, the folders inside of several others are their splits
        (`cats/train`, `dogs/train`), else they are splits without classes and the whole source
        is refused.
    2.  The class is the folder that directly holds the photo; folders around it do not matter.
        `farm1/cats` and `farm2/cats` are one class, cats.
    3.  A folder that directly holds photos and has folders of photos below is one class with
        all that is below it (`cats/1.jpg`, `cats/indoor/2.jpg`). Two exceptions, where its own
        photos are strays beside class folders and are left out: it is the folder around
        everything; or it holds fewer photos itself than any folder below it and one of those
        names is also found elsewhere (`farm1/stray.jpg` beside `farm1/cats` and `farm2/cats`).
    4.  A folder of folders beside a class is a class itself (`cats/indoor` and `cats/outdoor`
        beside `dogs`), unless the name of the class is found in it; so is one that holds one
        folder, if that is called images or the like. Where all class folders have one name
        (`cats/images`, `dogs/images`), those around them are the classes.
    5.  Photos in no folder, and folders for unlabelled photos (`is_unlabelled`), are left out.

    Class names are NFC, with white space tidied. Names that differ only in upper and lower case
    stay two classes (A and a are two letters); `checks.warnings` asks about them.

    Args:
        paths: photos relative to the source, with `/` between the parts.

    Raises:
        SourceError: no photo lies in a class folder, or there are splits without classes.
    """
    choices = choices or ImportChoices()
    parents = [path.rpartition("/")[0] for path in paths]
    parsed = {
        parent: tuple(tidy(part) for part in parent.split("/") if part) for parent in set(parents)
    }
    counts = Counter(parsed[parent] for parent in parents)
    reading = _Reading(counts, choices)
    by_folder = reading.assign()
    reading.notices += _tell_merged({one: by_folder[folder] for one, folder in parsed.items()})
    assignments = [by_folder[parsed[parent]] for parent in parents]
    if not any(assignment.class_name for assignment in assignments):
        raise SourceError(
            _(
                "There is no class folder: the photos lie in no folder of their own. Put the "
                "photos of each class into a folder that has the name of the class."
            )
        )
    return Layout(assignments, reading.notices, reading.questions)


def _tell_merged(assignments: dict[str, ClassAssignment]) -> list[str]:
    """Folders whose names differ in white space and unseen characters only, and so are one class."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for parent, assignment in assignments.items():
        name = assignment.class_name
        for part in parent.split("/") if name else ():
            if tidy(part) == name:
                spellings[name].add(unicodedata.normalize("NFC", part))
    merged = [name for name, written in sorted(spellings.items()) if len(written) > 1]
    if not merged:
        return []
    return [
        ngettext(
            "Folders whose names differ only in white space, or in characters that nobody sees, were "
            "taken as one class: {names}.",
            "Folders whose names differ only in white space, or in characters that nobody sees, were "
            "taken as one class each: {names}.",
            len(merged),
        ).format(names=list_folders(merged))
    ]


class _Reading:
    """One reading of the folders of a source."""

    def __init__(self, counts: Counter[Folder], choices: ImportChoices) -> None:
        self.tree, self.choices = FolderTree(counts), choices
        self.notices: list[str] = []
        self.questions: list[Question] = []
        self.roles: dict[Folder, str] = {}
        self._inner: list[Folder] = []
        self._as_class: list[Folder] = []
        names = {part for folder in counts for part in folder}
        self._all_kinds = set(map(split_kind, names)) - {""}

    # ------------------------------------------------------------------------------ splits

    def _find_splits(self) -> None:
        """Fill `roles`: train, val, test, out or beside for the folders that are no classes."""
        self._visit((), "")
        apart = [
            parent
            for parent in self._inner
            if len(self._inner) > 1 or len(self.tree.inside(parent[:-1])) > 1
        ]
        for parent in apart:
            for child in self.tree.inside(parent):
                if child not in self.roles:  # else a person chose it
                    self.roles[child] = self._kinds([child])[child]
        self._inner = apart
        if not self.roles:
            self._refuse_splits_without_classes()

    def _visit(self, parent: Folder, layer: str) -> None:
        children = self.tree.inside(parent)
        free = []
        for child in children:
            role = self.choices.role_of(child)
            if role in ("train", "val", "test", "out"):
                self.roles[child] = role
            elif not role:
                free.append(child)
        if layer:
            for child in free:
                repeated = split_kind(child[-1]) == split_kind(parent[-1]) != ""
                if repeated and (self.tree.inside(child) or len(children) == 1):
                    self.roles[child] = layer
        else:
            self._judge(parent, free)
        for child in children:
            role = self.roles.get(child, "")
            if role not in ("out", "beside"):
                self._visit(child, role or layer)

    def _kinds(self, folders: Sequence[Folder]) -> dict[Folder, str]:
        """The folders with names of splits; `eval` is settled by what is beside it."""
        kinds = {one: kind for one in folders if (kind := split_kind(one[-1]))}
        siblings = {split_kind(one[-1]) for one in self.tree.inside(folders[0][:-1])}
        settled = "val" if "test" in siblings else "test"
        return {one: settled if kind == "eval" else kind for one, kind in kinds.items()}

    def _judge(self, parent: Folder, folders: list[Folder]) -> None:
        """Decide for the folders right inside `parent` which of them are splits."""
        if self._is_chosen_inside(parent):
            self._inner.append(parent)
            return
        kinds = self._kinds(folders) if folders else {}
        real = {one: kind for one, kind in kinds.items() if kind != "out"}
        if not real:
            return
        others = [one for one in folders if one not in kinds and not is_unlabelled(one[-1])]
        inner = {below[-1] for one in real for below in self.tree.inside(one)}
        shared = {
            one
            for one in others
            if one[-1] in inner or {below[-1] for below in self.tree.inside(one)} & inner
        }
        n_kinds = len(set(real.values()))
        if not inner:
            if n_kinds > 1 and not others and parent and not self.tree.direct[parent]:
                self._inner.append(parent)
            elif others:
                self._as_class += list(real)
            return
        same_names = any(one[-1] in inner for one in others)
        beside = self._splits_inside(parent)
        everyday = len(beside) == 1 and all(is_everyday(one[-1]) for one in real)
        if everyday and not others and len(self._all_kinds) == 1:
            return
        are_classes = len(others) > 1 or (len(others) == 1 and everyday and not shared)
        if len(beside) == 1 and are_classes and not same_names:
            self._as_class += list(real)
            return
        self.roles |= kinds
        has_train = "train" in beside
        for one in others:
            if not everyday and (has_train or one not in shared):
                self.roles[one] = "beside"

    def _splits_inside(self, parent: Folder) -> set[str]:
        """The splits that folders right inside `parent` are by choice or may be by name."""
        roles = {
            self.choices.role_of(one) or split_kind(one[-1]) for one in self.tree.inside(parent)
        }
        return roles - {"", "class", "out"}

    def _is_chosen_inside(self, parent: Folder) -> bool:
        """Whether `parent` is a class that holds nothing but splits, some of them by choice."""
        children = self.tree.inside(parent)
        chosen = {one for one in children if self.choices.role_of(one) not in ("", "class")}
        return (
            bool(parent and chosen)
            and len(children) > 1
            and not self.tree.direct[parent]
            and all(one in chosen or split_kind(one[-1]) for one in children)
            and not any(self.tree.inside(one) for one in children)
        )

    def _refuse_splits_without_classes(self) -> None:
        names = {folder[-1] for folder in self.tree.direct if folder}
        kinds = {split_kind(name) for name in names}
        kept = any(self.choices.role_of(folder) for folder in self.tree.direct if folder)
        if len(kinds) >= 2 and "" not in kinds and not kept:
            raise SourceError(
                _(
                    "The photos lie directly in {folders}, so their classes are not known. Put "
                    "class folders into each of them."
                ).format(folders=", ".join(sorted(names)))
            )

    # ----------------------------------------------------------------------------- classes

    def assign(self) -> dict[Folder, ClassAssignment]:
        """Class, split or reason for every folder that directly holds photos."""
        self._find_splits()
        result: dict[Folder, ClassAssignment] = {}
        stripped: dict[Folder, tuple[Folder, str]] = {}
        for folder in self.tree.direct:
            placed = self._without_splits(folder)
            if isinstance(placed, ClassAssignment):
                result[folder] = placed
            else:
                stripped[folder] = placed
        result |= self._leave_unlabelled(stripped)
        counts: Counter[Folder] = Counter()
        for folder, (rest, _split) in stripped.items():
            counts[rest] += self.tree.direct[folder]
        finder = ClassFinder(counts, self.choices)
        for folder, (rest, split) in stripped.items():
            name = finder.class_of(rest)
            reason = "" if name else _("It is not inside a class folder.")
            result[folder] = ClassAssignment(class_name=name, split=split, reason=reason)
        self._tell(result, finder)
        return result

    def _without_splits(self, folder: Folder) -> tuple[Folder, str] | ClassAssignment:
        rest: list[str] = []
        split = layer = ""
        open_layer = False
        for depth, part in enumerate(folder, 1):
            role = self.roles.get(folder[:depth], "")
            whole = "/".join(folder[:depth])
            if role == "out":
                return ClassAssignment(reason=self._why_out(folder[:depth]), folder=whole)
            if role == "beside":
                reason = _("It is not inside one of the folders train, val and test.")
                return ClassAssignment(reason=reason, folder=whole)
            if role:
                split, layer = split or role, part
                open_layer = folder[: depth - 1] not in self._inner
            else:
                rest.append(part)
                open_layer = False
        if open_layer:
            return ClassAssignment(
                reason=_("It is directly in the folder {layer}, not inside a class folder.").format(
                    layer=layer
                )
            )
        return tuple(rest), split

    def _why_out(self, folder: Folder) -> str:
        if self.choices.role_of(folder):
            return _("The folder was left out as asked.")
        return _("A folder of this name holds photos to be predicted, not to learn from.")

    def _leave_unlabelled(
        self, stripped: dict[Folder, tuple[Folder, str]]
    ) -> dict[Folder, ClassAssignment]:
        """Take the folders for unlabelled photos out of `stripped`."""
        around = common_folder({rest for rest, _split in stripped.values()})
        out: dict[Folder, ClassAssignment] = {}
        direct = {rest for rest, _split in stripped.values()}
        for folder, (rest, _split) in stripped.items():
            for depth in range(len(around) + 1, len(rest) + 1):
                if rest[: depth - 1] in direct and depth > len(around) + 1:
                    break  # inside a class
                part = rest[:depth]
                if is_unlabelled(part[-1]) and self.choices.role_of(part) != "class":
                    reason = _("A folder of this name holds photos without a class.")
                    whole = folder[: len(folder) - len(rest) + depth]
                    out[folder] = ClassAssignment(reason=reason, folder="/".join(whole))
                    break
        if len(out) == len(stripped):
            return {}
        for folder in out:
            del stripped[folder]
        return out

    # ----------------------------------------------------------------------------- notices

    def _tell(self, result: dict[Folder, ClassAssignment], finder: ClassFinder) -> None:
        self._tell_splits()
        for folder in self._as_class:
            others = [one[-1] for one in self.tree.inside(folder[:-1]) if one != folder]
            name = "/".join(folder)
            is_class = any(
                one.class_name == folder[-1]
                for path, one in result.items()
                if path[: len(folder)] == folder
            )
            text = (
                _("The folder {name} was taken as a class, as it lies beside {others}.")
                if is_class
                else _("The folder {name} was not taken as a split, as it lies beside {others}.")
            )
            self._ask(text.format(name=name, others=list_folders(others)), name, "class")
        self._tell_left_out(result)
        self.questions += finder.questions()
        kept = {one.class_name for one in result.values() if one.class_name}
        for name in sorted(kept):
            if may_be_no_class(name) and not self.choices.role_of((name,)):
                self._ask(
                    _(
                        "The folder {name} was taken as a class, though its name may stand for "
                        "photos of no class."
                    ).format(name=name),
                    name,
                    "class",
                )

    def _ask(self, text: str, name: str, taken: str, *, instead: str = "") -> None:
        """Ask about a folder; `instead` is the answer to offer first."""
        options = sorted(ROLES, key=lambda role: role != instead)
        self.questions.append(
            Question(text=text, setting="role", name=name, options=tuple(options), taken=taken)
        )

    def _tell_splits(self) -> None:
        found: dict[str, list[Folder]] = defaultdict(list)
        for folder, role in sorted(self.roles.items()):
            if role in ("train", "val", "test") and folder[:-1] not in self.roles:
                found[role].append(folder)
        plain = {"train", "training", "val", "valid", "validation", "test", "testing"}
        names = {folder[-1].lower() for folders in found.values() for folder in folders}
        if names - plain or self._inner:
            for role in ("train", "val", "test"):
                for name in dict.fromkeys(folder[-1] for folder in found[role]):
                    folders = ["/".join(one) for one in found[role] if one[-1] == name]
                    text = _("Taken as the split {split}: {folders}.")
                    text = text.format(split=role, folders=list_folders(folders))
                    self._ask(text, name, role)
        if found["train"] and found["val"] and not found["test"]:
            self._ask(
                _(
                    "There are folders for training and validation, but none for the test: test "
                    "photos are taken from those for training. The photos in {name} may be the "
                    "test instead."
                ).format(name=found["val"][0][-1]),
                found["val"][0][-1],
                "val",
                instead="test",
            )

    def _tell_left_out(self, result: dict[Folder, ClassAssignment]) -> None:
        whole: Counter[tuple[str, str]] = Counter()
        loose = 0
        for folder, one in result.items():
            if one.folder:
                whole[(one.folder, one.reason)] += self.tree.direct[folder]
            elif one.reason:
                loose += self.tree.direct[folder]
        for (name, reason), n in sorted(whole.items()):
            self._ask(
                ngettext(
                    "The folder {name} ({n} photo) was left out. {reason}",
                    "The folder {name} ({n} photos) was left out. {reason}",
                    n,
                ).format(name=name, n=n, reason=reason),
                name,
                "out",
            )
        if loose:
            self.notices.append(
                ngettext(
                    "{n} photo is not inside a class folder and was left out: it has no class yet.",
                    "{n} photos are not inside a class folder and were left out: they have no class "
                    "yet.",
                    loose,
                ).format(n=loose)
            )

"""Which folders are the classes, once the folders of splits are taken out of the paths.

Owns: `FolderTree`, `ClassFinder`: rules 2 to 4 of `layout.read_layout`. Leaves to others: splits and
folders that are left out (`layout.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from translearn_core.datasets.folder_words import names_photos
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.questions import Question
from translearn_core.i18n import _

Folder = tuple[str, ...]


class FolderTree:
    """Folders with photos: how many lie directly in each, and the folders right inside."""

    def __init__(self, counts: Counter[Folder]) -> None:
        self.direct = counts
        self.children: dict[Folder, set[Folder]] = defaultdict(set)
        self.total: Counter[Folder] = Counter()
        for folder, n in counts.items():
            for depth in range(len(folder), -1, -1):
                self.total[folder[:depth]] += n
                if depth:
                    self.children[folder[: depth - 1]].add(folder[:depth])

    def inside(self, folder: Folder) -> list[Folder]:
        return sorted(self.children.get(folder, ()))

    def below(self, folder: Folder) -> list[Folder]:
        """The folders below that directly hold photos."""
        found = []
        for child in self.inside(folder):
            found += [child] if self.direct[child] else []
            found += self.below(child)
        return found


class ClassFinder:
    """The folders that are classes, once splits are taken out of the paths."""

    def __init__(self, counts: Counter[Folder], choices: ImportChoices) -> None:
        self._tree = FolderTree(counts)
        self._rule = choices.classes
        self._around = common_folder(set(counts))
        self._classes = self._find()
        self._raised: list[Folder] = []
        self._same_name = ""
        if not self._rule:
            self._raise(self._around)
            self._name_by_outer()

    def class_of(self, folder: Folder) -> str:
        """The name of the class of a folder; empty for none."""
        if self._rule == "outer":
            around = len(self._around)
            own = bool(self._tree.direct[self._around]) and folder == self._around
            if own and len(self._tree.direct) == 1:
                return folder[-1] if folder else ""
            return folder[around] if len(folder) > around else ""
        if self._rule == "inner":
            strays = folder == self._around and len(self._tree.direct) > 1
            return folder[-1] if folder and not strays else ""
        for depth in range(1, len(folder) + 1):
            if folder[:depth] in self._classes:
                return folder[depth - 1]
        return ""

    def _find(self) -> set[Folder]:
        """Folders that are a class, including everything below them."""
        direct = {folder: n for folder, n in self._tree.direct.items() if folder}
        homes: dict[str, set[Folder]] = defaultdict(set)
        for folder in direct:
            homes[folder[-1]].add(folder)
        classes = set()
        for folder, count in direct.items():
            inner = set(self._tree.below(folder))
            if inner and folder == self._around:
                continue
            fewer = count < min((direct[name] for name in inner), default=0)
            if fewer and any(homes[name[-1]] - inner for name in inner):
                continue
            classes.add(folder)
        return classes

    def _raise(self, parent: Folder) -> None:
        """Make folders of folders classes where they lie beside one (rule 4)."""
        children = self._tree.inside(parent)
        beside = {child[-1] for child in children if child in self._classes}
        for child in children:
            if child in self._classes:
                continue
            below = self._tree.below(child)
            names = {folder[-1] for folder in below}
            alone = len(below) == 1 and not names_photos(below[0][-1])
            if beside and not alone and not self._tree.direct[child] and not names & beside:
                self._classes.add(child)
                self._raised.append(child)
            else:
                self._raise(child)

    def _name_by_outer(self) -> None:
        """Where all class folders have one name (`cats/images`, `dogs/images`), the folders around
        them are the classes."""
        names = {folder[-1] for folder in self._classes}
        outer = {folder[:-1] for folder in self._classes if len(folder) > len(self._around) + 1}
        if len(names) == 1 and len({folder[-1] for folder in outer}) > 1:
            self._classes, (self._same_name,) = outer, names

    def questions(self) -> list[Question]:
        """Which level of folders was taken, where there was a choice."""
        found = []
        for folder in self._raised:
            text = _(
                "The photos of {name} lie in folders inside it ({inner}); all of them were taken as "
                "the class {name}, as other classes lie beside it."
            )
            inner = list_folders([one[-1] for one in self._tree.below(folder)])
            found.append(_ask_level(text.format(name=folder[-1], inner=inner), "outer"))
        if self._same_name:
            text = _(
                "All innermost folders are called {name}, so the folders around them were taken as the "
                "classes ({outer})."
            ).format(
                name=self._same_name,
                outer=list_folders(sorted({folder[-1] for folder in self._classes})),
            )
            return [_ask_level(text, "outer")]
        nested = [
            folder
            for folder in sorted(self._classes - set(self._raised))
            if self._tree.below(folder)
            and not any(folder[:depth] in self._classes for depth in range(1, len(folder)))
        ]
        if nested and not self._rule:
            inside = ["/".join(one) for folder in nested for one in self._tree.below(folder)]
            text = _("Folders inside of class folders ({names}) belong to the class around them.")
            found.append(_ask_level(text.format(names=list_folders(inside)), "outer"))
        return [*found, *self._questions_around()]

    def _questions_around(self) -> list[Question]:
        start = len(self._around)
        pairs = {
            (folder[start], self.class_of(folder))
            for folder in self._tree.direct
            if len(folder) > start and self.class_of(folder)
        }
        outer = sorted({first for first, name in pairs if first != name})
        inner = sorted({name for first, name in pairs if first != name})
        if self._rule or not outer:
            return []
        if len(outer) > 1 and len(inner) > 1 and len(pairs) == len(outer) * len(inner):
            text = _(
                "The photos are sorted twice: into {outer}, and inside each into {inner}. The inner "
                "folders were taken as the classes."
            )
        else:
            text = _(
                "The classes are the innermost folders ({inner}); the folders around them ({outer}) "
                "were not used."
            )
        names = {"inner": list_folders(inner), "outer": list_folders(outer)}
        return [_ask_level(text.format(**names), "inner")]


def _ask_level(text: str, taken: str) -> Question:
    return Question(text=text, setting="classes", options=("outer", "inner"), taken=taken)


def list_folders(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return _("{names} and {n} more").format(names=shown, n=len(names) - most)


def common_folder(folders: set[Folder]) -> Folder:
    """The longest common prefix of all folders; () where some photo is in no folder."""
    if not folders:
        return ()
    low, high = min(folders), max(folders)
    depth = 0
    while depth < min(len(low), len(high)) and low[depth] == high[depth]:
        depth += 1
    return low[:depth]

"""The state of sorting a data set: groups to name, proposals to accept, and every decision.

Owns: `Sorting`, and `<dataset>/sorting/journal.json`, the decisions in their order.
Leaves to others: features (`job.py`), groups (`groups.py`), the head (`proposals.py`), the classes
themselves (`datasets/editing.py`).

The head learns from photos that a person gave a class: by hand, by naming a group, or before they
came here. It does not learn from proposals that were accepted together, and the figure of how good
proposals are comes from photos that a person answered without seeing the proposal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core import datasets
from translearn_core.arrays import Array, Bools
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.datasets import Dataset, WithUnsorted
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.sorting.groups import Group, LikenessTree
from translearn_core.sorting.job import PhotoFeatures, folder_of, read_features
from translearn_core.sorting.proposals import (
    Order,
    Proposals,
    head_points,
    next_questions,
    propose,
)

SCHEMA = 1
BLIND_EVERY = 8
"""Of this many questions in a row, the last is a random photo whose proposal is not shown."""


class Decision(BaseModel):
    """One decision, as it stands in the journal.

    Attributes:
        kind: `name` a group, `split` or `later` a group, `regroup` photos into one, `move` photos
            into a class, `answer` one photo, `accept` proposals,
            `aside`: photos that are none of the classes.
        node, tree: the group, for `name`, `split`, `later`, `regroup`; nodes of another tree
            (`Sorting.mark`) mean nothing in this one.
        was: path -> class before (empty: unsorted), of the photos that changed.
        path: of an `answer`.
        proposed, confidence, blind: of what was asked; `blind`: the proposal was not shown.
        paths: of `aside` and `regroup`.
        bar: the least confidence of what was accepted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["name", "split", "later", "regroup", "move", "answer", "accept", "aside"]
    node: int = -1
    tree: str = ""
    class_name: str = ""
    was: dict[str, str] = {}
    path: str = ""
    proposed: str = ""
    confidence: float = 0.0
    blind: bool = False
    paths: tuple[str, ...] = ()
    bar: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """A photo to ask about.

    `proposed` and `confidence` as the head says; empty and 0 where it does not yet. Where `blind`,
    the page does not show them.
    """

    path: str
    proposed: str = ""
    confidence: float = 0.0
    blind: bool = False


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What accepting all proposals from a confidence on would bring.

    Attributes:
        photos: how many would be sorted.
        wrong: how many of them would be wrong, by the calibrated confidences.
        measured, measured_right: photos answered without seeing the proposal, whose proposal had
            at least that confidence, and how many of these proposals were right.
    """

    photos: int
    wrong: float
    measured: int
    measured_right: int


class Sorting:
    """Sorting one data set. Every decision is written at once; a new object reads it again.

    Args:
        dataset: with sorted and unsorted photos.
        found: their features; photos without features are not asked about.
        tree: of these features, where it is known already.
    """

    def __init__(
        self, dataset: Dataset, found: PhotoFeatures, tree: LikenessTree | None = None
    ) -> None:
        self.dataset = Dataset(dataset.folder)
        self._found = found
        self.tree = tree or LikenessTree(found.features)
        self._place = {path: number for number, path in enumerate(found.paths)}
        content = "\n".join([found.backbone, *found.paths])
        self.mark = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        """Tells the groups of these photos from those of others."""
        self._refresh()

    @classmethod
    def open(cls, dataset: Dataset) -> Sorting | None:
        """The state as it is stored; None before any features were extracted."""
        found = read_features(dataset)
        return cls(dataset, found) if found is not None else None

    def _refresh(self) -> None:
        class_of = self._read_classes()
        self.labels = [class_of.get(path, "") for path in self._found.paths]
        self.there: Bools = np.array([path in class_of for path in self._found.paths], bool)
        self.unsorted_without_features = sum(
            not name and path not in self._place for path, name in class_of.items()
        )
        self.journal = self._standing(_read_journal(self.dataset))
        self._clear()

    def _read_classes(self) -> dict[str, str]:
        """The class of each photo by its path, empty where it is unsorted, as it is stored now."""
        self._rows = rows = WithUnsorted(self.dataset.folder).photos
        self._class_of = {
            str(path): str(name)
            for path, name in zip(rows["path"], rows["class_name"], strict=True)
        }
        return self._class_of

    def _standing(self, journal: Sequence[Decision]) -> list[Decision]:
        """Without the decisions whose photos have their former classes again: taken back elsewhere."""
        return [one for one in journal if not self._is_taken_back(one)]

    def _is_taken_back(self, decision: Decision) -> bool:
        there = {path: name for path, name in decision.was.items() if path in self._class_of}
        return bool(there) and all(self._class_of[path] == name for path, name in there.items())

    def _clear(self) -> None:
        for name in ("proposals", "is_unsorted"):
            self.__dict__.pop(name, None)

    # --- what is known -----------------------------------------------------------------------

    @property
    def paths(self) -> tuple[str, ...]:
        """The photos, by their numbers in groups."""
        return self._found.paths

    def rows(self, paths: Sequence[str]) -> pd.DataFrame:
        """The manifest's rows of photos, in this order; photos that are gone are left out."""
        indexed = self._rows.set_index("path", drop=False)
        return indexed.loc[[path for path in paths if path in indexed.index]]

    @property
    def decisions(self) -> int:
        """How many decisions were made."""
        return len(self.journal)

    @cached_property
    def is_unsorted(self) -> Bools:
        """`(n,)`: photos without a class that were not put aside."""
        aside = {path for one in self.journal if one.kind == "aside" for path in one.paths}
        open_photos = [
            not label and path not in aside
            for label, path in zip(self.labels, self.paths, strict=True)
        ]
        result: Bools = np.array(open_photos, bool) & self.there
        return result

    @cached_property
    def points(self) -> Array:
        """The features as the head takes them."""
        return head_points(self._found.features)

    @cached_property
    def proposals(self) -> Proposals | None:
        """What the head proposes for each photo; None while too few are sorted."""
        accepted = {path for one in self.journal if one.kind == "accept" for path in one.was}
        answered = {one.path for one in self.journal if one.kind == "answer"}
        named = {path for one in self.journal if one.kind == "name" for path in one.was}
        learned = [
            "" if path in accepted and path not in answered else label
            for label, path in zip(self.labels, self.paths, strict=True)
        ]
        by_hand = [
            bool(label) and (path in answered or path not in named)
            for label, path in zip(learned, self.paths, strict=True)
        ]
        return propose(self.points, learned, by_hand=np.array(by_hand, bool))

    def groups(self) -> list[Group]:
        """The groups that wait for a name, the tightest first; those for later last.

        Only photos that are unsorted are in them. What was decided about groups before other photos
        came in is no longer about any of these.
        """
        told = [one for one in self.journal if one.tree == self.mark]
        done = {one.node for one in told if one.kind in ("name", "split")}
        later = [one.node for one in told if one.kind == "later"]
        found = {group.node: group for group in self.tree.first_groups()}
        for one in told:
            if one.kind == "split":
                found |= {group.node: group for group in self.tree.split(one.node)}
        members = {group.node: list(group.photos) for group in found.values()}
        members = {node: photos for node, photos in members.items() if node not in done}
        for one in told:
            if one.kind == "regroup":
                self._regroup(members, one)
        waiting = [
            Group(
                node=node,
                photos=tuple(photo for photo in photos if self.is_unsorted[photo]),
                spread=found[node].spread,
            )
            for node, photos in members.items()
        ]
        return sorted(
            (group for group in waiting if group.photos),
            key=lambda group: (
                later.index(group.node) + 1 if group.node in later else 0,
                group.spread,
            ),
        )

    def _regroup(self, members: dict[int, list[int]], decision: Decision) -> None:
        """Move the photos of a decision to its group; where that was split since, to its nearer
        part. They stand last, where the least typical ones are."""
        moved = [self._place[path] for path in decision.paths if path in self._place]
        parts = [node for node in self.tree.below(decision.node) if node in members]
        if not parts:
            return
        for photos in members.values():
            photos[:] = [photo for photo in photos if photo not in moved]
        for photo in moved:
            members[self.tree.nearest(photo, parts)].append(photo)

    def proposed_name(self, group: Group) -> str:
        """The class that most photos of a group are proposed for; empty before there are any."""
        if self.proposals is None or not group.photos:
            return ""
        counts = np.bincount(self.proposals.best[list(group.photos)])
        return self.proposals.classes[int(counts.argmax())]

    def questions(self, *, order: Order = "doubtful", most: int = 12) -> list[Question]:
        """The next photos to ask about. Every `BLIND_EVERY`th is a random one, asked blind."""
        proposals = self.proposals
        chosen = next_questions(proposals, self.points, self.is_unsorted, order=order, most=most)
        if proposals is None:
            return [Question(path=self.paths[photo]) for photo in chosen]
        rng = np.random.default_rng(len(self.journal) // BLIND_EVERY)
        rest = np.flatnonzero(self.is_unsorted)
        rest = rng.permutation(rest[~np.isin(rest, chosen)])
        answers = sum(one.kind == "answer" or one.blind for one in self.journal)
        result = []
        for number in range(most):
            blind = (answers + number) % BLIND_EVERY == BLIND_EVERY - 1 and len(rest) > 0
            if blind:
                photo, rest = int(rest[0]), rest[1:]
            elif chosen:
                photo = chosen.pop(0)
            else:
                break
            result.append(self._question(proposals, photo, blind=blind))
        return result

    def _question(self, proposals: Proposals, photo: int, *, blind: bool) -> Question:
        return Question(
            path=self.paths[photo],
            proposed=proposals.classes[int(proposals.best[photo])],
            confidence=float(proposals.confidence[photo]),
            blind=blind,
        )

    def proposed(self, class_name: str, *, bar: float = 0.0) -> list[Question]:
        """The unsorted photos proposed for a class from a confidence on, the surest first."""
        proposals = self.proposals
        if proposals is None:
            return []
        photos = np.flatnonzero(self.is_unsorted & (proposals.confidence >= bar))
        found = [self._question(proposals, int(photo), blind=False) for photo in photos]
        own = [one for one in found if one.proposed == class_name]
        return sorted(own, key=lambda one: -one.confidence)

    def estimate(self, bar: float) -> Estimate:
        """What accepting every proposal of at least this confidence would bring."""
        if self.proposals is None:
            return Estimate(photos=0, wrong=0.0, measured=0, measured_right=0)
        above = self.is_unsorted & (self.proposals.confidence >= bar)
        told = [one for one in self.journal if one.blind and one.confidence >= bar]
        return Estimate(
            photos=int(above.sum()),
            wrong=float((1.0 - self.proposals.confidence[above]).sum()),
            measured=len(told),
            measured_right=sum(one.proposed == one.class_name for one in told),
        )

    # --- what is decided ---------------------------------------------------------------------

    def name_group(self, node: int, paths: Sequence[str], class_name: str) -> int:
        """Give the photos of a group a class; strangers are simply not among `paths`.

        Returns:
            How many photos were sorted.

        Raises:
            SourceError: the name is empty.
        """
        decision = Decision(kind="name", node=node, tree=self.mark, class_name=class_name)
        return self._sort(dict.fromkeys(paths, class_name), decision)

    def move(self, paths: Sequence[str], class_name: str) -> int:
        """Give photos that do not belong to their group another class. Returns how many.

        Raises:
            SourceError: the name is empty.
        """
        decision = Decision(kind="move", class_name=class_name)
        return self._sort(dict.fromkeys(paths, class_name), decision)

    def split_group(self, node: int) -> None:
        """Show a group as the two that it was joined from; a leaf of the tree stays as it is."""
        if not self.tree.is_leaf(node):
            self._add(Decision(kind="split", node=node, tree=self.mark))

    def put_group_off(self, node: int) -> None:
        """Show a group after all others."""
        self._add(Decision(kind="later", node=node, tree=self.mark))

    def regroup(self, paths: Sequence[str], node: int) -> None:
        """Put photos into another group; they stay unsorted."""
        known = tuple(path for path in paths if path in self._place)
        if known:
            self._add(Decision(kind="regroup", node=node, tree=self.mark, paths=known))

    def answer(self, question: Question, class_name: str) -> None:
        """Give one photo its class.

        Raises:
            SourceError: the name is empty.
        """
        self._sort(
            {question.path: class_name},
            Decision(
                kind="answer",
                class_name=class_name,
                path=question.path,
                proposed=question.proposed,
                confidence=question.confidence,
                blind=question.blind,
            ),
        )

    def accept(self, bar: float) -> int:
        """Sort every photo whose proposal has at least this confidence. Returns how many."""
        proposals = self.proposals
        if proposals is None:
            return 0
        photos = np.flatnonzero(self.is_unsorted & (proposals.confidence >= bar))
        classes = {self.paths[one]: proposals.classes[int(proposals.best[one])] for one in photos}
        return self._sort(classes, Decision(kind="accept", bar=bar)) if classes else 0

    def put_aside(self, paths: Sequence[str], *, asked: Question | None = None) -> None:
        """Leave photos unsorted and ask about them no more.

        Args:
            asked: what was answered so; asked blind, it tells of a proposal that was wrong.
        """
        decision = Decision(kind="aside", paths=tuple(paths))
        if asked is not None:
            told = {"proposed": asked.proposed, "confidence": asked.confidence}
            decision = decision.model_copy(update=told | {"blind": asked.blind})
        self._add(decision)

    def undo(self) -> Decision | None:
        """Take back the last decision, whoever made it; None where there is none."""
        self._refresh()
        if not self.journal:
            return None
        last = self.journal[-1]
        if last.was:
            datasets.sort_photos(self.dataset, last.was)
        self._write(self.journal[:-1])
        self._refresh()
        return last

    def _sort(self, classes: Mapping[str, str], decision: Decision) -> int:
        name = next((name for name in classes.values() if not name.strip()), None)
        if name is not None:
            raise SourceError(_("The class has no name. Give it one, then sort its photos."))
        before = dict(zip(self.paths, self.labels, strict=True))
        was = {path: before[path] for path in classes if path in before}
        n = datasets.sort_photos(self.dataset, {path: classes[path] for path in was})
        self._add(decision.model_copy(update={"was": was}))
        self._refresh()
        return n

    def _add(self, decision: Decision) -> None:
        """Add a decision to those that are stored: another page may have added some meanwhile."""
        self._read_classes()
        self._write([*self._standing(_read_journal(self.dataset)), decision])

    def _write(self, journal: Sequence[Decision]) -> None:
        self.journal = list(journal)
        folder = folder_of(self.dataset)
        rows: dict[str, Any] = {
            "schema_version": SCHEMA,
            "decisions": [
                one.model_dump(exclude_defaults=True) | {"kind": one.kind} for one in journal
            ],
        }
        with disk_errors():
            folder.mkdir(exist_ok=True)
            write_atomically(folder / "journal.json", json.dumps(rows, ensure_ascii=False))
        self._clear()


def has_decisions(dataset: Dataset) -> bool:
    """Whether sorting its photos was begun."""
    return bool(_read_journal(dataset))


def _read_journal(dataset: Dataset) -> list[Decision]:
    """The decisions; none where the file is missing or damaged: the classes stay as they are."""
    try:
        content = json.loads((folder_of(dataset) / "journal.json").read_text(encoding="utf-8"))
        return [Decision.model_validate(row) for row in content["decisions"]]
    except (OSError, ValueError, TypeError, KeyError, ValidationError):
        return []

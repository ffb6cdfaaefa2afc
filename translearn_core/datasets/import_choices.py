"""What a person may choose about an import where names alone do not decide.

Owns: `ImportChoices`, and which hidden folders it keeps. Leaves to others: what is read without a
choice (`layout.py`), where it is asked for (`cli/choices.py`, the page Photos).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.photo_names import is_junk
from translearn_core.i18n import _
from translearn_core.imaging.video import EVERY_S

ROLES = ("train", "val", "test", "class", "out")
"""What a folder may be told to be: a split, a class, or left out."""


@dataclass(frozen=True)
class ImportChoices:
    """What a person decides about an import where names alone do not.

    Args:
        follow_links: also read what links to places outside of the folder lead to.
        names: encoding of the names in an archive that does not say it; empty: guessed.
        roles: folder name (or path) and what it is, one of `ROLES`.
        classes: which folders are the classes: `outer` (the first level), `inner` (those that
            directly hold the photos), or empty: by the rule of `read_layout`.
        page: of a file with several: its number, or 0 for the one with the most contrast.
        channels: of a file with many: the numbers of red, green and blue, or of grey.
        every_s: distance of two frames that are taken of a video, in seconds.
        keep_positions: keep in stored photos where they were taken.
    """

    follow_links: bool = False
    names: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    classes: str = ""
    page: int = 1
    channels: tuple[int, ...] = ()
    every_s: float = EVERY_S
    keep_positions: bool = False

    def role_of(self, folder: Sequence[str]) -> str:
        """The role chosen for a folder, given by its parts; empty where none was."""
        path, name = (tidy(text).casefold() for text in ("/".join(folder), folder[-1]))
        for chosen, role in self.roles:
            if tidy(chosen.strip("/")).casefold() in (path, name):
                return role
        return ""

    def as_text(self) -> str:
        """The choices as JSON; empty where nothing was chosen."""
        return "" if self == ImportChoices() else json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> ImportChoices:
        """The choices that `as_text` wrote; none where the text is of another form."""
        try:
            content = json.loads(text) if text else {}
            return cls(
                follow_links=bool(content.get("follow_links")),
                names=str(content.get("names", "")),
                roles=tuple((str(name), str(role)) for name, role in content.get("roles", ())),
                classes=str(content.get("classes", "")),
                page=int(content.get("page", 1)),
                channels=tuple(map(int, content.get("channels", ()))),
                every_s=float(content.get("every_s", EVERY_S)),
                keep_positions=bool(content.get("keep_positions")),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def in_words(self) -> str:
        """What was chosen, in a few words."""
        levels = {
            "outer": _("outer folders as the classes"),
            "inner": _("inner folders as the classes"),
        }
        pages = {0: _("the page with the most contrast"), 1: ""}
        channels = ", ".join(map(str, self.channels))
        words = [
            _("links are followed") if self.follow_links else "",
            _("names as {encoding}").format(encoding=self.names) if self.names else "",
            *(f"{name} = {role}" for name, role in self.roles),
            levels.get(self.classes, ""),
            pages.get(self.page, _("page {n}").format(n=self.page)),
            _("channels {numbers}").format(numbers=channels) if channels else "",
            _("a frame of a video every {n} s").format(n=self.every_s)
            if self.every_s != EVERY_S
            else "",
            _("positions are kept") if self.keep_positions else "",
        ]
        return "; ".join(filter(None, words))

    def answered(self, setting: str, name: str, value: str) -> ImportChoices:
        """The choices with the answer to one question (`questions.Question`)."""
        if setting == "role":
            kept = tuple(pair for pair in self.roles if pair[0] != name)
            return replace(self, roles=((name, value), *kept))
        if setting == "classes":
            return replace(self, classes=value)
        return replace(self, names=value) if setting == "names" else self


def hidden_folder(parts: Sequence[str], choices: ImportChoices) -> tuple[str, ...]:
    """The outermost hidden folder of a path to a file; () where there is none or it is kept."""
    for depth in range(1, len(parts)):
        if is_junk(parts[depth - 1 : depth]) and choices.role_of(parts[:depth]) in ("", "out"):
            return tuple(parts[:depth])
    return ()

"""What names alone do not decide about an import: what was taken, and what may be chosen instead.

Owns: `Question`, a sentence on what was done with the answers that are possible. Leaves to others: how
an answer is given where it is read (options: `cli/choices.py`; controls: the page Photos), and what
it does (`import_choices.py`, `label_table.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from translearn_core.errors import SourceError

Setting = Literal["role", "classes", "names", "follow_links", "main", "file_column", "one_hot"]
"""What an answer sets: the role of a folder, the level of the class folders, the encoding of names
in an archive, links, the column of the classes, the column of the photos, one-hot columns."""


class Question(BaseModel):
    """One question.

    Args:
        text: what was done, a sentence that names no control.
        setting: what an answer sets.
        name: the folder that it is about; empty where it is about the whole source.
        options: the values that may be chosen, the one that was taken among them.
        taken: the value that was taken; empty where none of the options was.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str
    setting: Setting
    name: str = ""
    options: tuple[str, ...] = ()
    taken: str = ""


class OpenQuestionError(SourceError):
    """A source cannot be read before a question is answered; the message names no control."""

    def __init__(self, text: str, setting: Setting, options: Sequence[str]) -> None:
        super().__init__(text)
        self.question = Question(text=text, setting=setting, options=tuple(options))

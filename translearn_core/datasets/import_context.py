"""What one import carries along: its limits, choices, progress and stop, and what it found.

Owns: `Candidate` (a file that may be a photo, with a reader of its bytes), `ImportContext`. Leaves to
others: listing a source (`sources.py`), what becomes of the candidates (`importing.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.questions import Question
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.installation_limits import Limits


@dataclass(frozen=True)
class Progress:
    """Progress of an import: `done` of `total` (0: unknown), and the step as a sentence."""

    done: int
    total: int
    what: str


ProgressCallback = Callable[[Progress], None]
StopCheck = Callable[[], bool]
LeftOut = list[tuple[str, str]]
_UNASSIGNED = ClassAssignment()


@dataclass(frozen=True)
class Candidate:
    """A file that may be a photo: its name in the source, and a reader of its bytes.

    `read` may be called once; `look`, where there is one, before that and any number of times.
    """

    file: str
    size_bytes: int
    read: Callable[[], bytes]
    path: str = ""
    mtime_ns: int = 0
    assignment: ClassAssignment = _UNASSIGNED
    look: Callable[[], bytes] | None = None


class ImportContext:
    """Limits, choices, progress callback and stop check of one import, what it has to say (`notices`)
    and to ask (`questions`), and the photos that it leaves out for want of a class (`loose`)."""

    def __init__(
        self,
        limits: Limits,
        check: bool,
        progress: ProgressCallback | None,
        stop: StopCheck | None,
        choices: ImportChoices | None = None,
    ):
        self.limits = limits
        self.choices = choices or ImportChoices()
        self.notices: list[str] = []
        self.questions: list[Question] = []
        self.loose: list[Candidate] = []
        self.check = check
        self._progress = progress
        self._stop = stop
        self._last_report = 0.0

    def check_stop(self) -> None:
        """Raise when a stop was requested."""
        if self._stop is not None and self._stop():
            raise SourceError(_("The import was stopped. Nothing was kept."))

    def report(self, done: int, total: int, what: str) -> None:
        """Report progress (at most twenty times a second), and raise when a stop was requested."""
        self.check_stop()
        now = time.monotonic()
        if self._progress is not None and (now - self._last_report > 0.05 or done == total):
            self._last_report = now
            self._progress(Progress(done, total, what))

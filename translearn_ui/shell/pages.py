"""The table of pages: names, titles, icons, steps, and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from translearn_core.i18n import N_

ROOT = Path(__file__).resolve().parents[2]

PageName = Literal[
    "photos",
    "train",
    "results",
    "try_it",
    "share",
    "work",
    "compare",
    "feasible",
    "search",
    "sort",
    "camera",
    "teacher",
]


@dataclass(frozen=True)
class PageRow:
    """One page: its name (also its address and file), its title, its icon, its step (0: none).

    `under`: the page of the head line that it belongs to, where it stands there itself not.
    `of_class`: whether it is there in a class alone.
    """

    name: PageName
    title: str
    icon: str
    step: int
    under: PageName | None = None
    of_class: bool = False

    @property
    def place(self) -> PageName:
        """What of the head line is marked on this page."""
        return self.under or self.name


PAGES: tuple[PageRow, ...] = (
    PageRow("photos", N_("Photos"), ":material/photo_library:", 1),
    PageRow("train", N_("Train"), ":material/model_training:", 2),
    PageRow("results", N_("Results"), ":material/insights:", 3),
    PageRow("try_it", N_("Try it"), ":material/photo_camera:", 4),
    PageRow("share", N_("Export"), ":material/download:", 5),
    PageRow("work", N_("My work"), ":material/inventory_2:", 0),
    PageRow("compare", N_("Compare"), ":material/compare_arrows:", 0, "work"),
    PageRow("feasible", N_("Can this work?"), ":material/fact_check:", 0, "photos"),
    PageRow("search", N_("Search for better settings"), ":material/manage_search:", 0, "train"),
    PageRow("sort", N_("Sort photos"), ":material/filter_none:", 0, "photos"),
    PageRow("camera", N_("Camera"), ":material/videocam:", 0, "photos"),
    PageRow("teacher", N_("The class"), ":material/groups:", 0, of_class=True),
)


def path_of(name: str) -> str:
    """The file of a page, as Streamlit wants it named."""
    return str(ROOT / "pages" / f"{name}.py")

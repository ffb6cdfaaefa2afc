"""Classes that are too small to learn from: which these are, and why their photos are left out.

Leaves to others: leaving them out (`importing.py`, `in_place.py`, `Dataset.record_facts`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from translearn_core.i18n import _


def small_classes(names: Sequence[str], least: int) -> set[str]:
    """Classes with fewer than `least` photos, where two others or more have as many."""
    counts = Counter(names)
    small = {name for name, n in counts.items() if n < least}
    return small if len(counts) - len(small) >= 2 else set()


def too_few_reason(least: int) -> str:
    """Why the photos of a class that is too small were left out."""
    return _(
        "Its class has fewer than {least} photos (`limits.class_photos`): too few to learn from "
        "and to test with. Add photos to the class."
    ).format(least=least)

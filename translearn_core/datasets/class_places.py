"""Which colour of the palette each class of a data set has, for as long as the class lives.

Owns: how places are given out. A place is the index of a colour (`palette.class_color`) and of a
shape. Leaves to others: where they are kept (`Record.class_places`), the colours (`palette.py`).

A class gets its place when it appears: the first that no other class of the set has. It keeps it
under another name; classes that are merged take the place of the one they are merged into. The
places of names that are gone stay listed, so that a change that is undone, and a model that was
trained before, find them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count


def first_places(names: Sequence[str]) -> dict[str, int]:
    """The places of classes that none were given to: in the order of the names."""
    return {name: place for place, name in enumerate(names)}


def places_after(
    places: Mapping[str, int], before: Collection[str], now: Sequence[str]
) -> dict[str, int]:
    """The places once the classes have changed.

    Args:
        places: of the classes, those of names that are gone among them.
        before: the classes until now; they keep their places.
        now: the classes from now on, in the order in which new ones get a place.
    """
    kept = {name: places[name] for name in now if name in before and name in places}
    taken = set(kept.values())
    for name in now:
        if name in kept:
            continue
        known = places.get(name)
        kept[name] = known if known is not None and known not in taken else next(_free(taken))
        taken.add(kept[name])
    return {**places, **kept}


def with_heir(places: Mapping[str, int], old: str, new: str) -> dict[str, int]:
    """The places once the class `old` goes on as `new`, which has no photos yet."""
    return {**places, new: places[old]} if old in places else dict(places)


def places_of(places: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    """A place for each of `names`, such as the classes of a model: the known one, else a free one;
    in their order, and no two alike."""
    owners: dict[int, str] = {}
    for name in names:
        if name in places:
            owners.setdefault(places[name], name)
    found = {name: place for place, name in owners.items()}
    for name in names:
        if name not in found:
            found[name] = next(_free(found.values()))
    return {name: found[name] for name in names}


def _free(taken: Collection[int]) -> Iterator[int]:
    return (place for place in count() if place not in taken)

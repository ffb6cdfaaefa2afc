"""The colours: one per class, and colours with a fixed meaning.

Owns: the values, distinguishable for colour-blind readers (after Okabe and Ito) on light and dark
pages.
Leaves to others: drawing. The app's charts and style sheet, the live curves and the report read
them from here. The colours of widgets stand in `.streamlit/config.toml`.
"""

from __future__ import annotations

CLASS_COLORS = (
    "#2A85C7",  # blue
    "#E69F00",  # orange
    "#00A078",  # green
    "#CC79A7",  # pink
    "#D55E00",  # vermilion
    "#56B4E9",  # sky
    "#A08C00",  # olive
    "#8367B5",  # violet
    "#8A8A8A",  # grey
    "#A3623A",  # brown
)
"""One colour for each class, by the place that the class has in its data set, used over and over
again."""

TRAINING_COLOR = CLASS_COLORS[1]
VALIDATION_COLOR = CLASS_COLORS[0]
ACCENT_COLOR = "#2f9e87"
"""The app's green."""
FROZEN_COLOR = CLASS_COLORS[5]
TRAINABLE_COLOR = "#E8710A"
RIGHT_COLOR = CLASS_COLORS[2]
WRONG_COLOR = CLASS_COLORS[4]
QUIET_COLOR = CLASS_COLORS[8]


def class_color(index: int) -> str:
    """The colour of the class with this place (`Dataset.class_places`), as `#rrggbb`."""
    return CLASS_COLORS[index % len(CLASS_COLORS)]

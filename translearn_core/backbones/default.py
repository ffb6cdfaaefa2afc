"""The recommended backbone on this machine.

Owns: the default among those whose weights are ready, and the sentence that recommends a stronger
one to download, from measured accuracies. Leaves to others: the table (`catalog.py`), where weights
lie and whether they are here (`weights.py`), what a check of photos advises
(`feasibility/verdict.py`).

Imports no TensorFlow and no Keras, and never asks the network.
"""

from __future__ import annotations

from translearn_core.backbones.catalog import BACKBONES, Backbone, get_backbone
from translearn_core.backbones.weights import are_ready, weights_status
from translearn_core.config import load_configuration
from translearn_core.i18n import _

FALLBACK = "starter"
"""The default where nothing else is ready; its weights are part of the program."""

MEASURED_ACCURACY = {"mobilenet_v2": 0.88, "efficientnet_lite0": 0.87, "starter": 0.80}
"""Mean accuracy of a logistic regression on frozen features of six photo sets, where it was
measured side by side (docs/starter.md)."""

NOTABLE_GAIN = 0.02
"""Smaller differences of that mean are within its noise."""


def default_backbone() -> Backbone:
    """The configured backbone where its weights are ready, else the best for a plain laptop.

    Frozen features are computed once per photo, so that accuracy is preferred over
    speed; backbones that are slow without a GPU come last.

    Raises:
        SettingsError: the configuration names a backbone that does not exist.
    """
    configured = load_configuration().default_backbone
    if configured and are_ready(get_backbone(configured)):
        return BACKBONES[configured]
    for backbone in sorted(BACKBONES.values(), key=lambda row: row.default_rank):
        if are_ready(backbone):
            return backbone
    return BACKBONES[FALLBACK]


def stronger_backbone(backbone: Backbone) -> str:
    """A sentence that names a better backbone to download, and what it is expected to gain.

    Empty where none is known to be better, and where it is here already or cannot be fetched.
    Looks at the disk only, never at the network.
    """
    current = MEASURED_ACCURACY.get(backbone.name, 1.0)
    for name, accuracy in MEASURED_ACCURACY.items():
        better = BACKBONES[name]
        if accuracy >= current + NOTABLE_GAIN and weights_status(better).state == "download":
            return _(
                "With an internet connection, {title} can be downloaded once ({size} MB). On six "
                "photo sets its accuracy was about {gain} points higher than that of {this}."
            ).format(
                title=better.title,
                size=max(1, round(better.size_mb)),
                gain=round(100 * (accuracy - current)),
                this=backbone.title,
            )
    return ""


def expected_error_reduction(backbone: Backbone) -> float:
    """Relative error reduction expected from the best measured backbone, in [0, 1]."""
    current = MEASURED_ACCURACY.get(backbone.name, 1.0)
    best = max(
        [accuracy for accuracy in MEASURED_ACCURACY.values() if accuracy > current], default=current
    )
    return (best - current) / max(1.0 - current, 1e-9)

"""Backbones: which there are, their weights, what can be frozen, and the default. Imports no Keras.

The names of `catalog.py` can be imported from here.
"""

from translearn_core.backbones.catalog import (
    BACKBONES,
    Backbone,
    PixelScaling,
    did_you_mean,
    get_backbone,
    image_size_for,
    pixel_scaling,
)

__all__ = [
    "BACKBONES",
    "Backbone",
    "PixelScaling",
    "did_you_mean",
    "get_backbone",
    "image_size_for",
    "pixel_scaling",
]

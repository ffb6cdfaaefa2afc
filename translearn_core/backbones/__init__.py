"""Backbones: which there are, their weights, what can be frozen, and the default. Imports no Keras.

The names of `catalog.py` can be imported from here.
"""

from translearn_core.backbones.catalog import (
    _GOOGLE,
    _KERAS,
    _KERNELS,
    _ROWS,
    APACHE,
    BACKBONES,
    BSD,
    CC_BY,
    MIT,
    Backbone,
    PixelScaling,
    did_you_mean,
    get_backbone,
    image_size_for,
    pixel_scaling,
)

__all__ = [
    "_GOOGLE",
    "_KERAS",
    "_KERNELS",
    "APACHE",
    "MIT",
    "BSD",
    "CC_BY",
    "Backbone",
    "_ROWS",
    "BACKBONES",
    "get_backbone",
    "image_size_for",
    "did_you_mean",
    "PixelScaling",
    "pixel_scaling",
]

"""Which backbones a test that builds networks has to build.

Owns: the rows that differ from a smaller one in numbers alone: what holds for that one's graph holds
for theirs, and building them takes seconds each.
"""

from __future__ import annotations

from translearn_core.backbones import BACKBONES

LARGER = {
    "mobilenet_v2": "mobilenet_v2_035",
    "vgg19": "vgg16",
    "efficientnet_v2_b1": "efficientnet_v2_b0",
    "efficientnet_v2_b2": "efficientnet_v2_b0",
    "efficientnet_v2_b3": "efficientnet_v2_b0",
    "efficientnet_v2_m": "efficientnet_v2_s",
    "convnext_small": "convnext_tiny",
    "convnext_base": "convnext_tiny",
    "dinov2_base": "dinov2_small",
}
"""Row -> the smaller row of the same architecture."""

DISTINCT = [row for row in BACKBONES.values() if row.name not in LARGER]
"""The rows that no smaller one stands for."""

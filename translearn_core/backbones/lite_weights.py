"""The weights of EfficientNet-Lite0 under the names that Keras gives them.

Owns: the stages of the network, and which tensor of the package's file is which weight.
Leaves to others: the format of the file (`torch_file.py`), where it is and whether it is the right
one (`weights.py`), the graph (`graph/efficientnet_lite.py`).

Imports no TensorFlow and no Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from translearn_core.backbones.torch_file import read_tensors

STAGES = (
    # blocks, channels, kernel, stride, expansion
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)
_NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TOP = ("_fc.weight", "_fc.bias")
_COUNTER = ".num_batches_tracked"


def read_lite_weights(path: Path) -> dict[str, np.ndarray]:
    """All weights but those of the top, float32, named `layer/variable`, in Keras' axis order.

    Raises:
        ValueError: the file is damaged, or of another network.
        OSError: it cannot be read.
    """
    tensors = read_tensors(path)
    weights: dict[str, np.ndarray] = {}
    used: set[str] = set()
    for layer, name in _layers():
        for variable, tensor in _variables(layer, name):
            if tensor not in tensors:
                raise ValueError(f"{tensor} is missing")
            used.add(tensor)
            value = tensors[tensor].astype(np.float32)
            if value.ndim == 4:  # a kernel: (out, in, kh, kw)
                order = (2, 3, 0, 1) if layer.endswith("depthwise_conv") else (2, 3, 1, 0)
                value = value.transpose(order)
            weights[f"{layer}/{variable}"] = np.ascontiguousarray(value)
    odd = [one for one in tensors if not (one in used or one in _TOP or one.endswith(_COUNTER))]
    if odd:
        raise ValueError(f"{odd[0]} is of another network")
    return weights


def _variables(layer: str, name: str) -> Iterator[tuple[str, str]]:
    if layer.endswith("_conv"):
        yield "kernel", f"{name}.weight"
        return
    for variable, part in _NORMALISATION.items():
        yield variable, f"{name}.{part}"


def _layers() -> Iterator[tuple[str, str]]:
    """Each layer with weights, and its name in the file."""
    yield from (("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"))
    number = 0
    for stage, (blocks, _width, _kernel, _stride, expansion) in enumerate(STAGES, start=1):
        for letter in "abcd"[:blocks]:
            parts = ["depthwise", "project"]
            names = ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
            if expansion != 1:
                parts, names = ["expand", *parts], ["_expand_conv", "_bn0", *names]
            for index, part in enumerate(parts):
                layer, block = f"block{stage}{letter}_{part}", f"_blocks.{number}"
                yield f"{layer}_conv", f"{block}.{names[2 * index]}"
                yield f"{layer}_bn", f"{block}.{names[2 * index + 1]}"
            number += 1
    yield from (("top_conv", "_conv_head"), ("top_bn", "_bn1"))

"""Where a backbone may be cut into blocks to freeze: its blocks, by the structure of its graph.

Owns: the rules that group operations into blocks, and the titles of blocks.
Leaves to others: walking the graph and its cut points (`walk.py`), what is written down of
the blocks (`description.py`), how many of them stay frozen (`backbones/freezing.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import keras

from translearn_core.graph.walk import Walk, automatic_stem, cut_positions, walk_graph


@dataclass(frozen=True)
class GraphBlock:
    """A block of a backbone, by the structure of its graph.

    `end` is the name of its last operation, a cut point; `operations` are the names of all of
    its operations in topological order.
    """

    title: str
    end: str
    operations: tuple[str, ...]


def find_blocks(model: keras.Model) -> list[GraphBlock]:
    """Group the graph into the architecture's own blocks, by structure alone.

    A block ends at a cut point where one of these holds:

    1. **Branches meet:** an addition or a concatenation ends a region of branches (ResNet,
       Inception), together with the activation right after it. A multiplication does not: it
       is a gate inside a block (squeeze and excitation). Nor does a concatenation that keeps
       its own input and is followed by another such one: the block is still growing
       (DenseNet).
    2. **Branches part:** the output is what such a region starts from.
    3. **Pooling:** on a plain chain, a pooling layer closes a block (VGG, a stem).
    4. **A linear bottleneck:** a convolution (and its normalisation) without an activation
       that is followed by the next convolution (MobileNetV2 where no addition can be).
    5. **A change of name:** on a plain chain, where the convolution before and the one after
       carry names with different first words (`stem_conv`, `block1a_project_conv`).

    6. **Attention is followed by more:** an addition that ends a region with attention in it does
       not end a block, nor does what comes after it open one: the dense layers that each token
       passes next belong to the same block (transformers).

    A block holds at least one convolution or dense layer; a stretch without one belongs to the
    block after it, at the very end to the last block. A block therefore never ends between a
    convolution and its normalisation or activation.

    Returns:
        The blocks in order; the first one holds the input and the pixel scaling as well.
    """
    walk = walk_graph(model)
    ends = _block_ends(walk)
    blocks: list[GraphBlock] = []
    begin = 0
    for end in ends:
        operations = [walk.operation(position) for position in range(begin, end + 1)]
        names = tuple(operation.name for operation in operations)
        blocks.append(GraphBlock(_title(operations, len(blocks) + 1, model.name), names[-1], names))
        begin = end + 1
    return blocks


def _block_ends(walk: Walk) -> list[int]:
    cuts = cut_positions(walk)
    ends: list[int] = []
    has_weights = False
    for index, cut in enumerate(cuts):
        begin = cuts[index - 1] + 1 if index else 0
        has_weights |= any(has_kernel(walk.operation(i)) for i in range(begin, cut + 1))
        if has_weights and index + 1 < len(cuts) and _ends_block(walk, cuts, index):
            ends.append(cut)
            has_weights = False
    if has_weights or not ends:
        ends.append(cuts[-1])
    else:
        ends[-1] = cuts[-1]
    return ends


def _ends_block(walk: Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether one of the rules of `find_blocks` holds at the cut `index`, not the last."""
    here = walk.operation(cuts[index])
    following = walk.operation(cuts[index] + 1)
    if is_merge(here) and _holds_attention(walk, cuts, index - 1):  # rule 6
        return False
    if _opens_region(walk, cuts, index):  # rule 2, and rule 1 for what grows on
        return not (_is_growth(walk, cuts, index) and _is_growth(walk, cuts, index + 1))
    if _is_gate_region(cuts, index):
        return False
    if is_merge(here) and _is_region(cuts, index - 1):  # rule 1
        return not is_activation(following)
    if is_activation(here) and index and is_merge(walk.operation(cuts[index - 1])):
        return _is_region(cuts, index - 2)
    if isinstance(here, _pooling_layers()):  # rule 3
        return True
    next_kernel = _next_kernel(walk, cuts, index)
    if next_kernel is None:
        return False
    last_kernel = _last_kernel(walk, cuts[index])
    if is_linear(here):  # rule 4
        return True
    before, after = _first_word(last_kernel), _first_word(next_kernel)  # rule 5
    return bool(before and after and before != after)


def _is_region(cuts: Sequence[int], index: int) -> bool:
    """Whether branches lie between the cut `index` and the next."""
    return index >= 0 and index + 1 < len(cuts) and cuts[index + 1] - cuts[index] > 1


def _holds_attention(walk: Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether attention lies between the cut `index` and the next."""
    if not _is_region(cuts, index):
        return False
    between = range(cuts[index] + 1, cuts[index + 1])
    return any(isinstance(walk.operation(i), keras.layers.MultiHeadAttention) for i in between)


def _opens_region(walk: Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether the region after the cut `index` is one that closes by meeting, not by gating."""
    return _is_region(cuts, index) and not _is_gate(walk.operation(cuts[index + 1]))


def _is_gate_region(cuts: Sequence[int], index: int) -> bool:
    return _is_region(cuts, index)


def _is_growth(walk: Walk, cuts: Sequence[int], index: int) -> bool:
    """Whether the cut `index` concatenates something to the cut before it."""
    if index == 0 or not isinstance(walk.operation(cuts[index]), keras.layers.Concatenate):
        return False
    return cuts[index - 1] in walk.reads[cuts[index]]


def is_merge(operation: Any) -> bool:
    return type(operation).__name__ in {"Add", "Concatenate", "Average", "Maximum", "Subtract"}


def _is_gate(operation: Any) -> bool:
    return type(operation).__name__ == "Multiply"


def is_activation(operation: Any) -> bool:
    return "activation" in type(operation).__module__ or type(operation).__name__ in {
        "Relu",
        "Relu6",
        "Silu",
        "Gelu",
        "HardSwish",
        "HardSilu",
    }


def is_normalization(operation: Any) -> bool:
    return isinstance(
        operation,
        keras.layers.BatchNormalization
        | keras.layers.LayerNormalization
        | keras.layers.GroupNormalization,
    )


def is_linear(operation: Any) -> bool:
    """Whether `operation` is a convolution without activation, or a normalisation."""
    if is_normalization(operation):
        return True
    activation = getattr(operation, "activation", None)
    return has_kernel(operation) and activation is keras.activations.linear


def has_kernel(operation: Any) -> bool:
    """Whether `operation` has a kernel (a weight of rank 2 or more), at any depth."""
    return any(len(weight.shape) >= 2 for weight in getattr(operation, "weights", []))


def _pooling_layers() -> tuple[type, ...]:
    return (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def _next_kernel(walk: Walk, cuts: Sequence[int], index: int) -> Any | None:
    """The convolution that comes next on the chain, nothing but padding between; else None."""
    for position in cuts[index + 1 :]:
        operation = walk.operation(position)
        if has_kernel(operation):
            return operation
        if not isinstance(operation, keras.layers.ZeroPadding2D):
            return None
    return None


def _last_kernel(walk: Walk, position: int) -> Any:
    """The last operation with a kernel up to `position`."""
    return next(walk.operation(i) for i in range(position, -1, -1) if has_kernel(walk.operation(i)))


def _first_word(operation: Any) -> str:
    """`block1a` of `block1a_project_conv`; empty for an automatic name."""
    if automatic_stem(operation):
        return ""
    match = re.match(r"[a-z]+_?\d+[a-z]?(?=_|$)|[a-z]+", operation.name.lower())
    return match.group() if match else ""


def _title(operations: Sequence[Any], number: int, model_name: str) -> str:
    """The common prefix of the names of its convolutions; else the name of its last operation or
    `number`."""
    own = [op.name for op in operations if has_kernel(op) and not automatic_stem(op)]
    words = zip(*(name.split("_") for name in own), strict=False)
    common = "_".join(same[0] for same in takewhile(lambda word: len(set(word)) == 1, words))
    if len(own) == 1:  # `block1a_project_conv` -> `block1a`
        common = re.sub(r"(_[a-z]+)?_conv$", "", common)
    title = common.removeprefix(f"{model_name}_")
    if not title and not automatic_stem(operations[-1]):
        title = operations[-1].name
    return title or ("stem" if number == 1 else f"block_{number}")

"""DINOv2 (Oquab et al., 2023, https://arxiv.org/abs/2304.07193): a vision transformer, as Keras builds it.

Owns: the graph, out of layers of Keras' own alone, so that a saved model opens without this program.
`DINOv2` is called the way the builders of `keras.applications` are, so that `build.py` treats it as
one more.
Leaves to others: its weights (`backbones/dino_weights.py`, `backbones/weights.py`), pixel scaling
(`build.py`).

A photo becomes `p = (h / 14) * (w / 14)` patches. One more token, the class token, gathers what the
whole photo shows. The numbers that describe a photo are the mean of its patch tokens and its class
token, as in the linear probes of the paper (section 7.1). Every backbone here ends in feature maps
whose mean describes the photo, so the class token is laid over the patches in the shares in which it
looked at them in the last block: its mean over the photo is the token itself, and Grad-CAM, which
weighs these maps by the gradient of a class, shows where the class was seen in both.
Imports Keras when it is imported: not for the web process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras.src.applications.convnext import LayerScale

from translearn_core.backbones.dino_weights import DEPTH, PATCH, read_dino_weights
from translearn_core.graph.named_weights import assign_in_order

EPSILON = 1e-6
WIDER = 4
"""Units of the hidden layer of a block, as a multiple of its channels."""


def DINOv2(  # noqa: N802 - the builders of keras.applications are named so
    *,
    width: int,
    heads: int,
    depth: int = DEPTH,
    weights: str | Path | None = None,
    include_top: bool = False,
    input_shape: Sequence[int] = (224, 224, 3),
) -> keras.Model:
    """Build the network for photos of one size.

    Args:
        width: channels of a token.
        heads: attention heads of each block.
        depth: number of blocks.
        weights: a file as Hugging Face has it, or None for random ones. Its position embeddings
            are interpolated to the size of the photos.
        include_top: must be False; there is no top.
        input_shape: `(height, width, 3)`, multiples of 14.

    Returns:
        `(n, h, w, 3) float32`, normalised by ImageNet's mean and deviation -> feature maps
        `(n, h/14, w/14, 2 * width)`: the patch tokens, and the class token by where it looked.

    Raises:
        ValueError: `include_top` is True, the size is no multiple of 14, or the weights do not
            fit.
        OSError: the file cannot be read.
    """
    if include_top:
        raise ValueError("`include_top` must be False: DINOv2 is built without a top.")
    height, breadth, channels = input_shape
    if height % PATCH or breadth % PATCH:
        raise ValueError(
            f"The sides must be multiples of {PATCH}. Received: {height} and {breadth}."
        )
    rows, columns = height // PATCH, breadth // PATCH
    patches = rows * columns
    layers = keras.layers
    pixels = keras.Input((height, breadth, channels), name="pixels")
    x = layers.Reshape((rows, PATCH, columns, PATCH * channels), name="patch_rows")(pixels)
    x = layers.Permute((1, 3, 2, 4), name="patch_order")(x)
    x = layers.Reshape((patches, PATCH * PATCH * channels), name="patch_pixels")(x)
    x = layers.ZeroPadding1D((1, 0), name="class_place")(x)  # (n, 1 + p, 588)
    # A bias for each place holds the position embeddings; that of the first holds the class token.
    x = layers.EinsumDense(
        "abc,cd->abd", output_shape=(1 + patches, width), bias_axes="bd", name="patches"
    )(x)  # (n, 1 + p, width)
    for number in range(1, depth):
        x, _scores = _block(x, width, heads, name=f"block{number}", scores=False)
    x, scores = _block(x, width, heads, name=f"block{depth}", scores=True)
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    looked = _where_it_looked(scores, patches)  # (n, p, 1)
    token = layers.Cropping1D((0, patches), name="class_token")(x)  # (n, 1, width)
    spread = layers.Multiply(name="class_spread")([looked, token])  # (n, p, width)
    x = layers.Cropping1D((1, 0), name="patch_tokens")(x)  # (n, p, width)
    x = layers.Concatenate(name="tokens")([x, spread])
    x = layers.Reshape((rows, columns, 2 * width), name="maps")(x)
    model = keras.Model(pixels, x, name="dinov2")
    if weights is not None:
        arrays = read_dino_weights(
            Path(weights), width=width, heads=heads, depth=depth, grid=(rows, columns)
        )
        assign_in_order(model, arrays, Path(weights).name)
    return model


def _block(x: Any, width: int, heads: int, *, name: str, scores: bool) -> tuple[Any, Any]:
    """Attention among the tokens, then two dense layers for each; both are carried past.

    Returns:
        The tokens; and the attention scores `(n, heads, 1 + p, 1 + p)`, None unless wanted.
    """
    layers = keras.layers
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    attention = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")
    if scores:
        y, looks = attention(y, y, return_attention_scores=True)
    else:
        y, looks = attention(y, y), None
    y = LayerScale(1.0, width, name=f"{name}_scale1")(y)
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm2")(x)
    y = layers.Dense(WIDER * width, activation="gelu", name=f"{name}_mlp1")(y)
    y = layers.Dense(width, name=f"{name}_mlp2")(y)
    y = LayerScale(1.0, width, name=f"{name}_scale2")(y)
    return layers.Add(name=f"{name}_add2")([x, y]), looks


def _where_it_looked(scores: Any, patches: int) -> Any:
    """The attention of the class token on each patch, `(n, p, 1)`, with the mean 1 over the patches.

    The mean over the heads; what it paid to itself belongs to no place and is shared out evenly.

    Args:
        scores: `(n, heads, 1 + p, 1 + p)`.
    """
    layers = keras.layers
    looks = layers.Cropping2D(((0, 0), (0, patches)), name="class_looks")(scores)
    looks = layers.GlobalAveragePooling2D(name="class_attention")(looks)  # (n, 1 + p)
    looks = layers.Reshape((1 + patches, 1), name="class_shares")(looks)
    at_itself = layers.Cropping1D((0, patches), name="class_at_itself")(looks)  # (n, 1, 1)
    at_patches = layers.Cropping1D((1, 0), name="class_at_patches")(looks)  # (n, p, 1)
    at_patches = layers.Rescaling(float(patches), name="class_scaled")(at_patches)
    return layers.Add(name="class_evened")([at_patches, at_itself])

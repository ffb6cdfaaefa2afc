"""Makes the reference of `tests/graph/test_dinov2.py`: a tiny DINOv2 and what `transformers` answers.

Owns: `tests/data/dinov2_tiny.safetensors`, as `Dinov2Model.save_pretrained` writes it in half
precision, and `tests/data/dinov2_tiny.npz`: photos and tokens, `photo_SIDE` and `tokens_SIDE`.
Needs `torch` and `transformers`, which the program itself does not:

    python -m venv /tmp/reference && /tmp/reference/bin/pip install torch transformers
    /tmp/reference/bin/python tools/dinov2_reference/make.py tests/data
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import Dinov2Config, Dinov2Model

SIDES = (28, 42, 70)
"""Of the photos: smaller than the 42 that the positions are made for, the same, and larger."""


def main(folder: Path) -> None:
    torch.manual_seed(0)
    model = Dinov2Model(
        Dinov2Config(
            hidden_size=16, num_attention_heads=2, num_hidden_layers=2, image_size=42, patch_size=14
        )
    ).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lambda1" in name or ("norm" in name and name.endswith("weight")):
                weights.uniform_(0.5, 1.5)
            else:
                weights.normal_(0, 0.3 if weights.ndim > 1 else 0.2)
    with tempfile.TemporaryDirectory() as made:
        model.half().save_pretrained(made)
        content = (Path(made) / "model.safetensors").read_bytes()
    (folder / "dinov2_tiny.safetensors").write_bytes(content)
    model = model.float()
    arrays = {}
    for side in SIDES:
        photos = torch.randn(2, 3, side, side).half().float()
        with torch.no_grad():
            tokens = model(photos).last_hidden_state
        arrays[f"photo_{side}"] = photos.permute(0, 2, 3, 1).numpy().astype(np.float16)
        arrays[f"tokens_{side}"] = tokens.numpy()
    np.savez_compressed(folder / "dinov2_tiny.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

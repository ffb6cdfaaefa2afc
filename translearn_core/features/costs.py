"""What a choice costs on this machine: measured speeds, and the times expected from them.

Owns: the store of measured speeds, and expected seconds of a pass, of an epoch and of a whole run.
Leaves to others: measuring (`speed_measurement.py`), the process that measures (`jobs/measurement.py`).
Imports no TensorFlow: pages show costs.

File: `<workspace>/cache/speed.json`, backbone -> figures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from translearn_core import backbones, spaces
from translearn_core.atomic import write_atomically
from translearn_core.backbones import freezing


def speed_file() -> Path:
    """Where measured speeds are kept."""
    return spaces.root() / "cache" / "speed.json"


def measured(backbone_name: str) -> dict[str, Any] | None:
    """This machine's speed for a backbone, or None before it was measured.

    Returns:
        `forward_per_s` and `train_all_per_s`, photos a second at the backbone's own size through
        the frozen and through the fully trainable backbone; `device`.
    """
    try:
        speeds: dict[str, dict[str, Any]] = json.loads(speed_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return speeds.get(backbone_name)


def record_speed(backbone_name: str, **figures: Any) -> None:
    """Keep measured figures of a backbone."""
    path = speed_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            speeds = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            speeds = {}
        speeds[backbone_name] = speeds.get(backbone_name, {}) | figures
        write_atomically(path, json.dumps(speeds, indent=1))


HEAD_PHOTO_S = 2e-4
"""Seconds a photo and epoch that a head on cached features takes, about."""
DECODE_PER_S = 250.0
"""Photos of phone size a second that are read and decoded beside the network, about."""


def expected_pass_s(backbone_name: str, n_photos: int) -> float | None:
    """Seconds that looking at the photos once will take here, or None before it was measured.

    Goes by the last real pass on this machine where there was one, else by the measured network
    and a usual speed of decoding.
    """
    speed = measured(backbone_name)
    if speed is None or not speed.get("forward_per_s"):
        return None
    if speed.get("pass_per_s"):
        return float(n_photos / speed["pass_per_s"])
    return float(n_photos * (1 / speed["forward_per_s"] + 1 / DECODE_PER_S))


def expected_epoch_s(backbone_name: str, frozen_blocks: int, n_photos: int) -> float | None:
    """Seconds one epoch will take on this machine, or None before the speed was measured.

    Args:
        frozen_blocks: how many of the first blocks are frozen.
        n_photos: training photos.
    """
    speed = measured(backbone_name)
    if speed is None or not speed.get("train_all_per_s"):
        return None
    graph = freezing.blocks_of(backbones.get_backbone(backbone_name))
    total = sum(block.macs for block in graph.blocks) or 1
    suffix = sum(block.macs for block in graph.blocks[frozen_blocks:])
    return float(n_photos * (HEAD_PHOTO_S + suffix / total / speed["train_all_per_s"]))


AROUND_S = 8.0
"""Seconds that a run takes beside its pass and its epochs: to begin, to test, to save, about."""
HEAD_PHOTOS = 30_000
"""Photos that a head sees in all, at most, however many epochs are set."""


def expected_run_s(
    backbone_name: str, frozen_blocks: int, *, n_photos: int, n_train: int, epochs: tuple[int, int]
) -> float | None:
    """Seconds a whole run takes at most, about, or None before the speed was measured.

    Args:
        frozen_blocks: how many of the first blocks are frozen while it fine-tunes.
        n_photos: all photos.
        n_train: training photos.
        epochs: epochs of the head alone, and of fine-tuning (`Settings.split_epochs`).
    """
    pass_s = expected_pass_s(backbone_name, n_photos)
    epoch_s = expected_epoch_s(backbone_name, frozen_blocks, n_train)
    if pass_s is None or epoch_s is None:
        return None
    head, fine_tune = epochs
    seen = min(head * n_train, max(HEAD_PHOTOS, 12 * n_train))
    return AROUND_S + pass_s + seen * HEAD_PHOTO_S + fine_tune * epoch_s

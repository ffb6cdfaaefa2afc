"""Rounds of a training, as its events tell them."""

from __future__ import annotations


def epoch(number: int, *, phase: str = "head", loss: float = 0.5) -> dict[str, float | str]:
    return {
        "epoch": number,
        "phase": phase,
        "loss": loss,
        "accuracy": 0.8,
        "val_loss": loss + 0.1,
        "val_accuracy": 0.7,
    }

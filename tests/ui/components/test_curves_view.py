"""The curves of a run that has ended, in words."""

from __future__ import annotations

import pytest

from translearn_ui.components.curves_view import why_kept


@pytest.mark.parametrize(
    ("phase", "calibrated", "is_calibrated"),
    [("head", 0.4, True), ("head", None, False), ("fine_tune", 0.5, False)],
    ids=["head", "a head of an earlier run", "fine-tuned"],
)
def test_the_star_says_which_loss_it_is_the_lowest_of(
    phase: str, calibrated: float | None, is_calibrated: bool
) -> None:
    said = why_kept({"phase": phase, "val_loss": 0.5, "val_loss_calibrated": calibrated})
    assert ("calibrated" in said) == is_calibrated

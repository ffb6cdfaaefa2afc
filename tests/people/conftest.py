"""What the tests of a class share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from translearn_core.people import hashing

_LOG_N = hashing._LOG_N


@pytest.fixture(scope="module", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hashes of PINs and passwords are slow by design; here they take a thousandth of that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_LOG_N", 4)
        yield


@pytest.fixture
def slow_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes as the app makes them."""
    monkeypatch.setattr(hashing, "_LOG_N", _LOG_N)

"""A workspace of its own for each test, as for data sets."""

from tests.datasets.conftest import workspace

__all__ = ["workspace"]

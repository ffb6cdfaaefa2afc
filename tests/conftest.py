"""What holds for all tests: no page measures the machine's speed behind a test's back."""

from __future__ import annotations

import os

os.environ.setdefault("TRANSLEARN_MEASURE_SPEED", "false")

"""How many frames a second the camera records.

Owns: the rates that can be chosen, and the one that is taken at first.
Leaves to others: recording at it (`js/recorder.js`).
"""

from __future__ import annotations

RATES = (2, 4, 8, 12)
"""What can be chosen, in frames a second."""
RATE = 8
"""Of the photos of a class."""
PILE_RATE = 2
"""Of unsorted photos, which are looked at one by one later."""

"""Scripts that several elements of the pages begin with.

Owns: where they lie. Leaves to others: the elements (`camera/element.py`, `sorting/strip.py`).
"""

from __future__ import annotations

from pathlib import Path

DOM = Path(__file__).with_name("js") / "dom.js"
"""Making elements, pictures as text, words with their values."""

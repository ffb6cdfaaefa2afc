"""The parts of the page Export: export formats and their state."""

"""The parts of the Take it away page: export formats and their state."""

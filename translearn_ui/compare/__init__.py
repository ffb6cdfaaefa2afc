"""The parts of the Compare page: choosing runs and showing them side by side."""

"""The parts of the Train page: the set-up and the live view of a run."""

"""The parts of the page "Can this work?": the check, the verdict and its evidence."""

"""The parts of the My work page: data sets, runs, imported models, this installation."""

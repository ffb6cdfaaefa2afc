"""The parts of the search page: set-up and view of a hyperparameter search."""

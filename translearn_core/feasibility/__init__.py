"""The feasibility check: an estimate of the accuracy before training, and checks of the photos."""

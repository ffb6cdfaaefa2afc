"""The order of a run: training, saving and verifying, calibration, several tasks, search."""

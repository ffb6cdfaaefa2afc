"""The parts of the Results page: figures, confusion matrix, classes, photos, calibration."""

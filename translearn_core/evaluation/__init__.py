"""Figures about predictions: metrics, calibration, cross-validation, out-of-distribution detection.

Pure NumPy on arrays: knows no data set, no run and no network.
"""

"""Asking a trained model: predictions, explanations, comparisons of runs."""

"""Techniques beside plain training, one module each; which there are is told in `recipe/techniques.py`."""

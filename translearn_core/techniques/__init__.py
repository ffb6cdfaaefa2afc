"""Techniques beside plain training, one module each; the table is `recipe/technique_table.py`."""

"""Sorting unsorted photos: groups of like photos, proposals of classes, and what was decided.

Leaves to others: the photos and their table (`datasets/unsorted.py`), features (`features/`).
"""

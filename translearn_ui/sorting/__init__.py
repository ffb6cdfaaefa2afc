"""The page that sorts unsorted photos."""

"""Can this work with these photos? The check of a data set before training."""

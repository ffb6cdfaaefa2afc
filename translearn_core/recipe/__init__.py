"""What a run will do: techniques, presets, and resolving settings against a data set."""

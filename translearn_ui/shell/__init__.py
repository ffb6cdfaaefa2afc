"""What stands around every page: frame, theme, style sheet."""

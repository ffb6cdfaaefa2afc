"""Parts that several pages share: charts, figures in words, lists of runs and photos, background tasks."""

"""The Streamlit code that the pages share: frame, theme, gallery, charts, live run."""

"""The Streamlit code behind the pages, in rooms: `shell`, `components`, and one folder per page."""

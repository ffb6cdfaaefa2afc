"""TransLearn's core: teaches a computer to tell photos apart. Knows no Streamlit."""

__version__ = "0.1.0"

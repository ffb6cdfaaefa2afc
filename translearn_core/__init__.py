"""TransLearn's core: image classification by transfer learning. Does not import Streamlit."""

__version__ = "0.1.0"

"""TransLearn's core: image classification by transfer learning. Does not import Streamlit."""

__version__ = "0.2.0"

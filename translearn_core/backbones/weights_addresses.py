"""Where weights are downloaded from.

Owns: the folders on the web that the rows of the catalogue name, and the mirror of this installation
that stands in for them (`weights_url` of the configuration).
Leaves to others: the files in these folders (`catalog.py`), downloading them (`weights_download.py`).
"""

from __future__ import annotations

from translearn_core.config import load_configuration

_GOOGLE = "https://storage.googleapis.com/"
KERAS = f"{_GOOGLE}tensorflow/keras-applications/"
KERAS_EFFICIENTNET = f"{_GOOGLE}keras-applications/"
"""Where Keras has EfficientNet of the first version alone."""
HUGGING_FACE = "https://huggingface.co/"


def download_address(address: str, file: str) -> str:
    """The address of a file of weights: as the catalogue says, or the one at the configured mirror.

    Args:
        address: `Backbone.weight_url`; empty for a file that is not downloaded.
        file: its name on this machine, which is its name at a mirror.
    """
    mirror = load_configuration().weights_url
    return f"{mirror.rstrip('/')}/{file}" if mirror and address else address

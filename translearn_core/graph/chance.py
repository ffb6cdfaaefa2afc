"""What Keras draws by chance in this process. Owns: letting it begin anew."""

from __future__ import annotations

import random

import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR


def set_seed(seed: int) -> None:
    """Let all that Keras draws by chance begin as a seed says.

    As `keras.utils.set_random_seed`, which tells TensorFlow of the seed, too. Nothing here draws by
    that, and TensorFlow forgets then how it runs the graphs that there are: to prepare them anew takes
    longer than a small head learns.
    """
    random.seed(seed)
    np.random.seed(seed)
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)

"""Learning from arrays: a run's plan, its training data, batches, the fit loop and the Keras callback."""

"""The prediction service: trained models asked by other programs, over HTTP.

Owns: which models are served and when a new version is taken over (`models.py`), photos of several
requests asked at once (`batching.py`), what is let in (`guard.py`, `request_bounds.py`, `keys.py`), the two
ways of asking (`photo_requests.py`; `open_inference.py`, the Open Inference Protocol v2), figures
(`figures.py`), the paths (`app.py`), the process (`serving.py`), and lines to ask with (`examples.py`).
Leaves to others: the answers (`prediction/predict.py`, as on the pages), photos (`imaging`), the
command (`cli/serve.py`).

Only OpenVINO runs here: nothing of it imports TensorFlow, Keras, pandas or a room above `prediction`
in the table of CONTRIBUTING.md.
"""

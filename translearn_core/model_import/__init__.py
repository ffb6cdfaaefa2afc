"""Importing a model from elsewhere as a run that can predict.

Owns: opening its file within bounds (`archive.py`), the layers that it may be built of
(`allowlist.py`), what it tells of itself (`inspect.py`), the process that opens it
(`sandbox.py`), the run that comes of it (`adopt.py`) and where that came from (`provenance.py`).

A file from elsewhere is not trusted: nothing that it names may be run. Its configuration is read
as plain JSON first and must name only what Keras itself provides, without layers that hold code or
read files; then Keras opens it in safe mode, without its compiled part, in a process of its own.
What is kept is a copy written anew.
"""

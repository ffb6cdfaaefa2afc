"""Importing a foreign model as a run that can predict.

Owns: opening its file within bounds (`archive.py`), the allowed layers (`allowlist.py`), reading its
configuration (`inspect.py`), the process that opens it (`sandbox.py`), the run (`adopt.py`) and its
provenance (`provenance.py`).

The file is not trusted: nothing that it names may be executed. Its configuration is read as plain
JSON first and may name only built-in Keras layers, none of which hold code or read files. Keras then
opens it in safe mode, without its compiled part, in a process of its own. The run gets a copy that
is saved anew.
"""

"""Making exports; the table of formats is in `formats.py`.

Owns: writing each format (`writers.py`), the program and the preparation of a
photo that go with it (`program.py`, `prepare.py`), the zip (`make.py`), the proof that it answers
as the app does (`verify.py`) and the process in which all that happens (`job.py`).
"""

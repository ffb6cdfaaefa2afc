"""Making exports; the table of formats is in `formats.py`.

Owns: writing each format (`writers.py`), the program and the preprocessing that go with it
(`program.py`, `preprocess.py`, `reading.py`), the zip (`make.py`), the verification (`verify.py`) and the job
(`job.py`).
"""

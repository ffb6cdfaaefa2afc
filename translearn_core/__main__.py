"""`python -m translearn_core`: the command line."""

import os

try:
    from translearn_core.cli import INTERRUPTED, main
    from translearn_core.concurrency import end_process
except KeyboardInterrupt:  # before there is anything to say it with
    os.write(2, b"Interrupted. Nothing had begun.\n")
    os._exit(130)

if __name__ == "__main__":
    code = main()
    end_process(code, at_once=code == INTERRUPTED)

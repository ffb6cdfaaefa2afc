"""`python -m translearn_core`: the command line."""

import sys

try:
    from translearn_core.cli import INTERRUPTED, main
    from translearn_core.concurrency import end_process
except KeyboardInterrupt:  # before there is anything to say it with
    sys.stderr.write("Interrupted.\n")
    sys.exit(130)

if __name__ == "__main__":
    code = main()
    end_process(code, at_once=code == INTERRUPTED)

"""`python -m translearn_core`: the command line."""

import gc
import os

# What imports make is no garbage: to look for it took an eighth of their time.
gc.set_threshold(20_000, 20, 20)

try:
    from translearn_core.cli import INTERRUPTED, main
    from translearn_core.concurrency import end_process
except KeyboardInterrupt:  # before there is anything to say it with
    os.write(2, b"Interrupted. Nothing had begun.\n")
    os._exit(130)

if __name__ == "__main__":
    code = main()
    end_process(code, at_once=code == INTERRUPTED)

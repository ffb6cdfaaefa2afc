"""`python -m translearn_core`: the command line."""

from translearn_core.cli import main
from translearn_core.concurrency import end_process

if __name__ == "__main__":
    end_process(main())

"""`python -m translearn_core`: the command line."""

import sys

from translearn_core.cli import main

if __name__ == "__main__":
    sys.exit(main())

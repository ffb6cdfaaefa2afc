"""The app without a browser: `python -m translearn_core …`.

Owns: running one command, exit codes: 0 when the thing was done, 2 with one line on stderr for bad
input, 1 for anything else, 130 when interrupted.
Leaves to others: the commands (`check.py`, `sort.py`, `train.py`, `search.py`, `predict.py`,
`export.py`, `serve.py`, `cluster.py`, `delete.py`), which declare options and help, and what each
does (`check_work.py` and so on), which calls the same functions as the pages. Only the latter
modules bring anything heavy in: `--help` does without.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

import typer

# isort: off
from translearn_core.cli import check  # noqa: F401 - the order of --help
from translearn_core.cli import sort  # noqa: F401 - the order of --help
from translearn_core.cli import train  # noqa: F401 - the order of --help
from translearn_core.cli import search  # noqa: F401 - the order of --help
from translearn_core.cli import predict  # noqa: F401 - the order of --help
from translearn_core.cli import export  # noqa: F401 - the order of --help
from translearn_core.cli import serve  # noqa: F401 - the order of --help
from translearn_core.cli import cluster  # noqa: F401 - the order of --help
from translearn_core.cli import delete  # noqa: F401 - the order of --help

# isort: on
from translearn_core.cli import help_text
from translearn_core.cli.app import app
from translearn_core.cli.choices import with_option
from translearn_core.cli.interrupt import Interrupted
from translearn_core.config import load_configuration
from translearn_core.errors import InputError, TransLearnError
from translearn_core.i18n import _, language, matching, of_terminal

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    language.set_of_process(_language_of_command())
    try:
        result = help_text.translated(app)(
            args=arguments, prog_name="python -m translearn_core", standalone_mode=False
        )
        sys.stdout.flush()
        code = int(result or 0)
        return (
            _complain(_("Interrupted. Nothing had begun."), code) if code == INTERRUPTED else code
        )
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InputError as error:
        return _complain(_with_option(error), 2)
    except TransLearnError as error:
        return _complain(error.message, 1)
    except Interrupted as error:
        return _complain(_("Interrupted. {kept}").format(kept=error.kept), INTERRUPTED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(_("Interrupted. Nothing was done."), INTERRUPTED)
    except Exception as error:
        # What click itself says of wrong arguments is one line, too.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _complain(str(error.format_message()), 2)
        raise


def _language_of_command() -> str:
    """That of the environment or `config.toml`, else that of the terminal."""
    with suppress(TransLearnError):  # told where the configuration is needed
        return matching([load_configuration().language]) or of_terminal()
    return of_terminal()


def _with_option(error: InputError) -> str:
    """The sentence of an error, with the option that answers it where it is an open question."""
    from translearn_core.datasets.questions import OpenQuestionError

    return with_option(error.question) if isinstance(error, OpenQuestionError) else error.message


def _complain(message: str, code: int) -> int:
    sys.stderr.write(" ".join(message.split()) + "\n")
    return code

"""Libraries that are loaded before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from translearn_core.concurrency import import_path
from translearn_core.graph.libraries import TENSORFLOW


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are not loaded ahead")
def test_the_installed_tensorflow_has_the_shared_libraries_of_these_names() -> None:
    found = find_spec("tensorflow")
    assert found is not None
    folder = (found.submodule_search_locations or [])[0]
    assert [name for name in TENSORFLOW if not (Path(folder) / name).is_file()] == []


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"PYTHONPATH": import_path()},
        check=False,
        timeout=120,
        text=True,
        capture_output=True,
    )


LEAVES = """
import sys, time
from translearn_core.concurrency import end_process, run_in_thread
from translearn_core.graph.libraries import import_keras

run_in_thread(import_keras)
time.sleep(float(sys.argv[1]))
end_process(2)
"""


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.4])
def test_a_process_may_end_while_the_libraries_are_loaded(seconds: float) -> None:
    left = run_program(LEAVES, str(seconds))
    assert left.returncode == 2, left.stderr


COMPILED = """
import builtins, typing
from translearn_core.graph.libraries import import_keras

compiled, compile_one = [], compile

def count(source, file, *rest, **named):
    if file == "<string>":
        compiled.append(source)
    return compile_one(source, file, *rest, **named)

builtins.compile = count
import_keras()
builtins.compile = compile_one
from tensorflow.python.ops.gen_math_ops import TV_AddN_T
kept = {getattr(one, '__forward_arg__', one) for one in TV_AddN_T.__constraints__}
print(len(compiled), "_atypes.Float32" in kept, hasattr(typing, "compile"))
assert typing.ForwardRef("int").__forward_code__ is not typing.ForwardRef("int").__forward_code__
"""


def test_annotations_in_quotes_are_compiled_once_and_only_while_keras_is_imported() -> None:
    done = run_program(COMPILED)
    assert done.returncode == 0, done.stderr
    n, *told = done.stdout.split()
    assert told == ["True", "False"]
    assert int(n) < 1000  # 18,000 without, in Python 3.11

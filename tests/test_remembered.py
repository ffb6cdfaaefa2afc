"""What is kept of files: until one is replaced, and no more than there is room for."""

from __future__ import annotations

from pathlib import Path

from translearn_core.atomic import write_atomically
from translearn_core.remembered import Memory, stamp_of


def test_what_follows_from_a_folder_is_made_anew_once_a_file_is_replaced(tmp_path: Path) -> None:
    memory, made = Memory(10), []

    def read() -> str:
        def make() -> str:
            made.append(1)
            return (tmp_path / "a.txt").read_text()

        return memory.get("a", stamp_of(tmp_path), make)

    write_atomically(tmp_path / "a.txt", "one")
    assert (read(), read(), len(made)) == ("one", "one", 1)
    write_atomically(tmp_path / "a.txt", "two")
    assert (read(), len(made)) == ("two", 2)
    (tmp_path / ".lock").touch()
    assert (read(), len(made)) == ("two", 2)


def test_what_is_unused_longest_goes_first_and_what_is_too_large_is_not_kept() -> None:
    memory = Memory(10)
    memory.keep("a", 1, size=5)
    memory.keep("b", 2, size=5)
    assert memory.find("a") == 1
    memory.keep("c", 3, size=5)
    memory.keep("d", 4, size=11)
    assert [memory.find(key) for key in "abcd"] == [1, None, 3, None]


def test_a_folder_that_is_not_there_has_an_empty_state(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "none") == ()

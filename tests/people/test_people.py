"""Who somebody is: joining, coming back, wrong guesses, sessions, groups, the end of a class."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from translearn_core import people, spaces
from translearn_core.errors import AccessError
from translearn_core.people import Classroom, Person

NOW = 1_800_000_000.0
PASSWORD = "correct horse"


@pytest.fixture
def classroom(workspace: Path) -> Classroom:
    return people.begin_class(PASSWORD, now=NOW)


def _join(classroom: Classroom, name: str = "Ada", pin: str = "4711") -> Person:
    return people.join(classroom.code, name, pin, address="10.0.0.2", now=NOW)


def test_a_class_needs_a_password_and_goes_on_with_it(workspace: Path) -> None:
    with pytest.raises(AccessError, match="needs a password"):
        people.begin_class(now=NOW)
    with pytest.raises(AccessError, match="at least 8"):
        people.begin_class("short", now=NOW)
    first = people.begin_class(PASSWORD, now=NOW)
    assert people.begin_class(now=NOW + 1) == first


def test_nothing_secret_is_kept_in_the_clear(slow_hashes: None, classroom: Classroom) -> None:
    cookie = people.open_session(_join(classroom, pin="hunter42"), now=NOW)
    kept = b"".join(path.read_bytes() for path in (spaces.root() / "class").iterdir())
    for secret in ("hunter42", PASSWORD, cookie, cookie.partition(".")[0]):
        assert secret.encode() not in kept
    assert kept.count(b"scrypt$14$8$1$") == 2


def test_a_pupil_comes_back_with_name_and_pin_however_the_name_is_written(
    classroom: Classroom,
) -> None:
    ada = _join(classroom, "  Ada\u200b Lovelace ")
    assert ada.name == "Ada Lovelace"
    code = f"{classroom.code[:3].lower()}-{classroom.code[3:]}"
    back = people.come_back(code, "ADA lovelace", "4711", address="10.0.0.3", now=NOW)
    assert back == ada
    with pytest.raises(AccessError, match="somebody called"):
        _join(classroom, "ada LOVELACE")
    with pytest.raises(AccessError, match="nobody called"):
        people.come_back(classroom.code, "Bob", "4711", address="10.0.0.3", now=NOW)


@pytest.mark.parametrize(
    ("name", "pin", "said"),
    [
        ("", "4711", "A name has"),
        ("\u200b\n", "4711", "A name has"),
        ("a" * 41, "4711", "A name has"),
        ("Ada", "471", "A PIN has"),
        ("Ada", "1" * 65, "A PIN has"),
        ("Ada", "0000", "too easy"),
        ("Ada", "1234", "too easy"),
    ],
)
def test_names_and_pins_that_are_not_taken(
    classroom: Classroom, name: str, pin: str, said: str
) -> None:
    with pytest.raises(AccessError, match=said):
        _join(classroom, name, pin)
    assert people.list_people() == []


def test_a_wrong_code_lets_nobody_in_and_is_slowed_by_address(classroom: Classroom) -> None:
    for number in range(3):
        with pytest.raises(AccessError, match="not the code"):
            people.join("AAAAAA", "Eve", "4711", address="10.0.0.9", now=NOW + number)
    with pytest.raises(AccessError, match="Wait 1 second"):
        people.join(classroom.code, "Eve", "4711", address="10.0.0.9", now=NOW + 2)
    assert _join(classroom).name == "Ada", "another device does not wait"


def test_a_hundred_wrong_pins_lock_the_name_by_the_tenth(classroom: Classroom) -> None:
    ada, now, judged = _join(classroom), NOW, 0
    for number in range(100):
        now += 400.0
        with pytest.raises(AccessError) as told:
            people.come_back(classroom.code, "Ada", f"{number:05}", address="10.0.0.9", now=now)
        judged += "does not belong" in told.value.message
    assert judged == people.MOST_WRONG == 10
    assert people.locked_people() == [ada]
    with pytest.raises(AccessError, match="locked"):
        people.come_back(classroom.code, "Ada", "4711", address="10.0.0.2", now=now)
    people.unlock(ada.id)
    assert people.come_back(classroom.code, "Ada", "4711", address="10.0.0.2", now=now) == ada


def test_wrong_pins_at_the_same_moment_are_counted_one_by_one(classroom: Classroom) -> None:
    _join(classroom)

    def guess(number: int) -> str:
        with pytest.raises(AccessError) as told:
            people.come_back(
                classroom.code, "Ada", f"{number:05}", address=f"10.0.1.{number}", now=NOW
            )
        return told.value.message

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(guess, range(16)))
    assert sum("does not belong" in sentence for sentence in told) == 3


def test_the_teacher_signs_in_by_password_and_is_slowed_by_address(classroom: Classroom) -> None:
    for number in range(3):
        with pytest.raises(AccessError, match="not the password"):
            people.sign_in_teacher("guess", address="10.0.0.9", now=NOW + number)
    with pytest.raises(AccessError, match="Wait"):
        people.sign_in_teacher(PASSWORD, address="10.0.0.9", now=NOW + 2)
    teacher = people.sign_in_teacher(PASSWORD, address="127.0.0.1", now=NOW + 2)
    assert teacher.is_teacher
    assert teacher.folder == spaces.root()
    assert teacher not in people.list_people()
    assert people.sign_in_teacher(PASSWORD, address="127.0.0.1", now=NOW + 9) == teacher


def test_a_session_holds_until_it_is_closed_or_too_old(classroom: Classroom) -> None:
    ada, bob = _join(classroom), _join(classroom, "Bob", "0815")
    cookie, other = people.open_session(ada, now=NOW), people.open_session(bob, now=NOW)
    assert people.who_holds(cookie, now=NOW + 1) == ada
    assert people.who_holds(cookie, now=NOW + people.SESSION_S) is None
    people.close_session(cookie)
    assert people.who_holds(cookie, now=NOW + 1) is None
    assert people.who_holds(other, now=NOW + 1) == bob


def test_a_cookie_that_was_changed_or_made_up_is_nobody_s(classroom: Classroom) -> None:
    cookie = people.open_session(_join(classroom), now=NOW)
    token, _dot, signature = cookie.partition(".")
    session = json.loads((spaces.root() / "class" / "sessions.json").read_bytes())[0]
    for wrong in (
        "",
        token,
        f"{token}.",
        f"{token[:-1]}.{signature}",
        f"{token}.{signature[:-1]}0" if signature[-1] != "0" else f"{token}.{signature[:-1]}1",
        f"{session['token']}.{signature}",
        "\udcff.ü",
    ):
        assert people.who_holds(wrong, now=NOW) is None


def test_a_new_pin_signs_out_and_replaces_the_old_one(classroom: Classroom) -> None:
    ada = _join(classroom)
    cookie = people.open_session(ada, now=NOW)
    pin = people.reset_pin(ada.id)
    assert people.who_holds(cookie, now=NOW) is None
    with pytest.raises(AccessError):
        people.come_back(classroom.code, "Ada", "4711", address="10.0.0.2", now=NOW)
    back = people.come_back(classroom.code, "Ada", pin, address="10.0.0.2", now=NOW)
    assert back.id == ada.id


def test_a_name_changes_and_a_taken_one_is_refused(classroom: Classroom) -> None:
    ada, bob = _join(classroom), _join(classroom, "Bob", "0815")
    assert people.rename(ada.id, "Augusta").name == "Augusta"
    with pytest.raises(AccessError, match="already"):
        people.rename(bob.id, "augusta")
    people.rename(bob.id, "BOB")


def test_who_is_removed_is_signed_out_and_leaves_nothing(classroom: Classroom) -> None:
    ada, bob = _join(classroom), _join(classroom, "Bob", "0815")
    cookie = people.open_session(ada, now=NOW)
    for person in (ada, bob):
        (person.folder / "datasets").mkdir(parents=True)
    assert people.remove(ada.id)
    assert people.who_holds(cookie, now=NOW) is None
    assert [path.name for path in (spaces.root() / "people").iterdir()] == [bob.id]
    with pytest.raises(AccessError, match="not in the class"):
        people.person_with(ada.id)


def test_two_to_four_share_a_space_and_part_again(classroom: Classroom) -> None:
    crowd = [_join(classroom, f"P{number}", "47110") for number in range(5)]
    with pytest.raises(AccessError, match="2 to 4"):
        people.group([person.id for person in crowd])
    with pytest.raises(AccessError, match="2 to 4"):
        people.group([crowd[0].id, crowd[0].id])
    people.group([crowd[0].id, crowd[1].id])
    assert people.person_with(crowd[1].id).folder == crowd[0].folder
    crowd[0].folder.mkdir(parents=True)
    people.remove(crowd[0].id)
    assert crowd[0].folder.is_dir(), "the others of the group keep it"
    people.ungroup(crowd[1].id)
    assert people.person_with(crowd[1].id).folder == crowd[1].folder


def test_the_end_of_a_class_signs_all_pupils_out(classroom: Classroom) -> None:
    ada = _join(classroom)
    cookie = people.open_session(ada, now=NOW)
    teacher = people.sign_in_teacher(PASSWORD, address="127.0.0.1", now=NOW)
    own = people.open_session(teacher, now=NOW)
    people.end_class(now=NOW + 1)
    assert people.who_holds(cookie, now=NOW + 1) is None
    assert people.who_holds(own, now=NOW + 1) == teacher
    with pytest.raises(AccessError, match="has ended"):
        people.come_back(classroom.code, "Ada", "4711", address="10.0.0.2", now=NOW + 2)
    again = people.begin_class(now=NOW + 3)
    assert again.code != classroom.code
    assert people.come_back(again.code, "Ada", "4711", address="10.0.0.2", now=NOW + 4) == ada


def test_everything_of_the_pupils_goes_on_its_day_and_nothing_of_the_teacher(
    classroom: Classroom,
) -> None:
    ada = _join(classroom)
    (ada.folder / "datasets" / "cats").mkdir(parents=True)
    (spaces.root() / "datasets" / "dogs").mkdir(parents=True)
    with pytest.raises(AccessError, match="future"):
        people.set_deletion(NOW - 1, now=NOW)
    people.set_deletion(NOW + 100, now=NOW)
    assert not people.delete_due(now=NOW + 99)
    assert people.delete_due(now=NOW + 100)
    assert not people.delete_due(now=NOW + 100), "there is nothing left"
    assert people.list_people() == []
    assert list((spaces.root() / "people").iterdir()) == []
    assert (spaces.root() / "datasets" / "dogs").is_dir()


@pytest.mark.parametrize("identity", ["", ".", "..", "../x", "a/b", "A" * 16, "0" * 15, "0" * 17])
def test_what_cannot_be_an_id_names_no_space(workspace: Path, identity: str) -> None:
    with pytest.raises(AccessError):
        spaces.space_named(identity)
    with pytest.raises(AccessError):
        people.person_with(identity)


def test_a_damaged_file_lets_nobody_in(classroom: Classroom) -> None:
    cookie = people.open_session(_join(classroom), now=NOW)
    (spaces.root() / "class" / "people.json").write_bytes(b"[{")
    with pytest.raises(Exception, match=r"people\.json"):
        people.who_holds(cookie, now=NOW)


def test_a_day_that_came_while_the_server_was_off_is_kept_and_ends_the_class(
    classroom: Classroom,
) -> None:
    ada = _join(classroom)
    late = classroom.deletes + 1
    again = people.begin_class(now=late)
    assert not ada.folder.exists()
    assert (people.list_people(), again.code != classroom.code) == ([], True)
    assert again.deletes > late
    people.join(again.code, "Bob", "4711", address="10.0.0.2", now=late)
    assert not people.delete_due(now=late + 1)

    assert people.delete_due(now=again.deletes)
    over = people.class_of_installation()
    assert over is not None
    assert over.is_over(again.deletes + 1), "whoever joined now would be deleted at the next look"

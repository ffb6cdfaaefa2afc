"""People: who somebody is, what they may do, and the class they belong to.

Owns: identity. The class (`classroom.py`), persons and groups (`register.py`), slowed and locked guesses
(`attempts.py`), accounts of a school (`school.py`), sessions (`sessions.py`), sharing data sets (`sharing.py`), spaces that go home and come
back (`take_home.py`), and the files of them (`records.py`).
Leaves to others: what lies in a space, the refusal to reach out of one (`spaces.py`), the pages.

Files: `<workspace>/class/`, readable by the owner of the machine alone.
"""

from translearn_core.people.attempts import MOST_WRONG
from translearn_core.people.classroom import (
    DELETE_AFTER_S,
    MOST_ASSIGNMENT,
    begin_class,
    class_of_installation,
    delete_all,
    delete_due,
    deletion_is_due,
    end_class,
    forbid_joining,
    set_assignment,
    set_deletion,
)
from translearn_core.people.records import Classroom, Person, folder
from translearn_core.people.register import (
    come_back,
    group,
    join,
    list_people,
    locked_people,
    person_with,
    remove,
    rename,
    reset_pin,
    sign_in_teacher,
    ungroup,
    unlock,
)
from translearn_core.people.school import enter_by_school, school_of_installation
from translearn_core.people.sessions import (
    SESSION_S,
    close_all,
    close_session,
    open_session,
    who_holds,
)
from translearn_core.people.sharing import share, shared_datasets, stop_sharing
from translearn_core.people.take_home import pack, unpack

__all__ = [
    "Classroom",
    "DELETE_AFTER_S",
    "MOST_ASSIGNMENT",
    "MOST_WRONG",
    "Person",
    "SESSION_S",
    "begin_class",
    "class_of_installation",
    "close_all",
    "close_session",
    "come_back",
    "delete_all",
    "delete_due",
    "deletion_is_due",
    "end_class",
    "enter_by_school",
    "folder",
    "forbid_joining",
    "group",
    "join",
    "list_people",
    "locked_people",
    "open_session",
    "pack",
    "person_with",
    "remove",
    "rename",
    "reset_pin",
    "school_of_installation",
    "set_assignment",
    "set_deletion",
    "share",
    "shared_datasets",
    "sign_in_teacher",
    "stop_sharing",
    "ungroup",
    "unlock",
    "unpack",
    "who_holds",
]

"""The server of a class: Streamlit behind the gate, over https.

Owns: putting the two together, and the options they are started with.
Leaves to others: asking for the password, the certificate, what is printed (`begin.py`).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.starlette import App
from streamlit.web.cache_storage_manager_config import create_default_cache_storage_manager

from translearn_core import people, spaces
from translearn_core.concurrency import periodically
from translearn_core.errors import TransLearnError
from translearn_core.jobs import activity
from translearn_core.people.hashing import sign
from translearn_ui.classroom import doors, school
from translearn_ui.classroom.addresses import origin_of
from translearn_ui.classroom.gate import Gate
from translearn_ui.classroom.media import OwnedMedia
from translearn_ui.classroom.short_sessions import (
    ShortSessions,
    collect_garbage,
    use_few_heaps,
)
from translearn_ui.classroom.uploads import BoundedUploads
from translearn_ui.shell import signed_in

if TYPE_CHECKING:
    from translearn_core.people import Classroom

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
UPLOAD_MB = 200
"""Of one file: uploads of thirty people rest in memory at once."""
DELETION_S = 600.0
"""So often it is looked whether the day of deletion has come."""
SWITCH_S = 0.001
"""A page that computes lets another thread on after so long. The loop that all connections share waits for
each that computes: 80 ms beside three of them with Python's 5 ms, 20 ms with this."""
COLLECT_S = 10.0
"""So often garbage is searched for."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the class is served.

    Attributes:
        hosts: the names under which it may be opened, without a port.
        certificate, key: files in PEM.
    """

    address: str = "0.0.0.0"
    port: int = 8501
    hosts: Sequence[str]
    certificate: Path
    key: Path


class ClassApp(App):
    """Streamlit with an owner for each picture and download."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._media = OwnedMedia("/media")
        self._uploads = BoundedUploads("/_stcore/upload_file")
        gate = Middleware(Gate, hosts=hosts, media=self._media, uploads=self._uploads)
        super().__init__(
            ROOT / "app.py",
            routes=doors.routes(),
            middleware=[gate],
        )

    def _create_runtime(self) -> Runtime:
        return Runtime(
            RuntimeConfig(
                script_path=str(ROOT / "app.py"),
                media_file_storage=self._media,
                uploaded_file_manager=self._uploads,
                cache_storage_manager=create_default_cache_storage_manager(),
                is_hello=False,
                session_storage=ShortSessions(),
            )
        )


def options(place: Place, secrets: Path | None = None) -> dict[str, Any]:
    """The options of Streamlit for a class, whatever config.toml says.

    Args:
        secrets: what its login needs, where a school's accounts open the class.
    """
    return {
        "secrets.files": [str(secrets)] if secrets is not None else [],
        "server.address": place.address,
        "server.port": place.port,
        "server.sslCertFile": str(place.certificate),
        "server.sslKeyFile": str(place.key),
        "server.allowedHosts": list(place.hosts),
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": UPLOAD_MB,
        "server.headless": True,
        "browser.serverAddress": place.hosts[0],
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        # a search for garbage after each run of a page stops all others, longer the more people are there
        "runner.postScriptGC": False,
        "logger.hideWelcomeMessage": True,
    }


def make_app(hosts: Sequence[str], classroom: Classroom) -> ClassApp:
    """The application of a class; from now on this process asks who is signed in."""
    os.environ["STREAMLIT_SERVER_COOKIE_SECRET"] = sign("streamlit", classroom.secret)
    _delete_due()
    signed_in.begin_class()
    return ClassApp(hosts)


def serve(place: Place, classroom: Classroom) -> None:
    """Serve the class until the process is ended."""
    secrets = school.prepare(classroom, origin_of(place.hosts[0], place.port))
    use_few_heaps()
    sys.setswitchinterval(SWITCH_S)
    app = make_app(place.hosts, classroom)
    with (
        periodically(_delete_due, every_s=DELETION_S, name="deletion"),
        periodically(collect_garbage, every_s=COLLECT_S, name="garbage"),
    ):
        app.run(config=options(place, secrets))


def _delete_due() -> None:
    try:
        if people.deletion_is_due():
            for space in spaces.all_spaces()[1:]:
                activity.end_all_in(space)
        people.delete_due()
    except TransLearnError as error:
        logger.error("%s", error.message)

"""Signing in with the account of a school: Streamlit's login, behind the doors of the class.

Owns: handing the configuration to Streamlit, and reading what its login found out.
Leaves to others: whose an account is (`translearn_core.people.school`), the session (`doors.py`).

Streamlit asks the provider and checks its signed answer; its cookie is taken over at the next door and
goes at once, so that nobody but this class says who is signed in.

File: `<workspace>/class/secrets.toml`, readable by the owner alone.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.responses import Response
from streamlit.auth_util import (
    encode_provider_token,
    get_cookie_with_chunks,
    get_origin_from_redirect_uri,
)
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import (
    TOKENS_COOKIE_NAME,
    USER_COOKIE_NAME,
)

from translearn_core import people
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.people import Classroom
from translearn_core.people.hashing import sign

CALLBACK = "/oauth2callback"
PATHS = ("/auth/login", CALLBACK)
"""Addresses of Streamlit's login; they exist where the configuration names a provider."""
_PROVIDER = "default"


def prepare(classroom: Classroom, origin: str) -> Path | None:
    """Write what Streamlit's login needs; None where no provider is configured.

    Args:
        origin: under which the class is opened, like `https://10.0.0.5:8501`.

    Raises:
        SettingsError: something is missing in the configuration, or a package.
    """
    path = people.folder() / "secrets.toml"
    school = people.school_of_installation()
    if school is None:
        path.unlink(missing_ok=True)
        return None
    if not all(importlib.util.find_spec(name) for name in ("authlib", "httpx")):
        raise SettingsError(
            _(
                "Signing in with an account of the school needs further packages: run {command} first."
            ).format(command="`pip install -r requirements-school.txt`")
        )
    values = {
        "redirect_uri": f"{origin}{CALLBACK}",
        "cookie_secret": sign("streamlit", classroom.secret),
        "client_id": school.client_id,
        "client_secret": school.client_secret,
        "server_metadata_url": school.metadata_url,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    with disk_errors():
        path.touch(mode=0o600)
        write_atomically(path, "\n".join(["[auth]", *lines, ""]))
        path.chmod(0o600)
    return path


def is_offered() -> bool:
    """Whether the doors show this way."""
    try:
        return people.school_of_installation() is not None
    except SettingsError:
        return False


def origin() -> str:
    """How the address begins under which the provider leads back, like `https://10.0.0.5:8501`."""
    return get_origin_from_redirect_uri() or ""


def login_address() -> str:
    """Where Streamlit's login begins."""
    return f"/auth/login?provider={encode_provider_token(_PROVIDER)}"


def claims_in(cookies: Mapping[str, str]) -> dict[str, Any] | None:
    """What the provider said of who has just signed in with it; None where nobody has."""
    secret = get_cookie_secret()

    def single(name: str) -> bytes | None:
        value = cookies.get(name)
        return (
            decode_signed_value(secret, name, value.encode("latin-1", "replace")) if value else None
        )

    with suppress(ValueError):
        found = json.loads(get_cookie_with_chunks(single, USER_COOKIE_NAME) or b"null")
        if isinstance(found, dict) and found.get("is_logged_in") is True:
            return found
    return None


def forget(cookies: Mapping[str, str], response: Response) -> None:
    """Let the browser forget what Streamlit's login found out."""
    for name in cookies:
        if name.startswith((USER_COOKIE_NAME, TOKENS_COOKIE_NAME)):
            response.delete_cookie(name, path="/")

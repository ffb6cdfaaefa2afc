"""The configuration of this installation, and the folder of the workspace.

Owns: `Configuration` (allowed folders, cache size, slots, …), reading it, and `home`.
Leaves to others: bounds on uploads and on pupils (`installation_limits.py`), the settings of a run
(`run_settings.py`), whose space is acted in (`spaces.py`).

Files: `<workspace>/config.toml` (optional). Environment: `TRANSLEARN_HOME` names the
workspace; `TRANSLEARN_<NAME>` overrides one value of the configuration.
Units: `_s` seconds, `_bytes` bytes.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from translearn_core import spaces
from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.installation_limits import Limits, Quotas
from translearn_core.remembered import Memory


def home() -> Path:
    """The workspace of whoever acts: the whole one, or in a class a pupil's own space.

    Raises:
        AccessError: there is a class, and nobody is signed in.
    """
    return spaces.current()


class Cluster(BaseModel):
    """A Ray cluster that trainings and searches run on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        default="",
        pattern=r"^(\S+:\d{1,5})?$",
        description="Address of the head node, such as `10.0.0.5:6379`; empty: no cluster.",
    )
    processors: float = Field(default=1.0, gt=0, description="Processors that each run is given.")
    gpus: float = Field(
        default=0.0, ge=0, description="GPUs that each run is given; 0.5 is half of one."
    )
    folder: Path | None = Field(
        default=None,
        description="The shared folder, which every node sees under the same path; the workspace "
        "lies in it. Without it the workspace itself has to be shared.",
    )


class School(BaseModel):
    """Signing in to a class with the account of a school (OpenID Connect)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metadata_url: str = Field(
        default="",
        description="Address of the provider's `.well-known/openid-configuration`; empty: nobody signs "
        "in this way.",
    )
    client_id: str = Field(default="", description="What the provider calls this installation.")
    client_secret: str = Field(
        default="", repr=False, description="The secret that the provider gave for it."
    )
    domains: tuple[str, ...] = Field(
        default=(), description="Who has a verified address of one of these domains is a pupil."
    )
    claims: tuple[str, ...] = Field(
        default=(), description="Who has one of these claims, like `groups=class-7b`, is a pupil."
    )
    teachers: tuple[str, ...] = Field(
        default=(), description="Verified addresses of those who are the teacher."
    )
    teacher_claims: tuple[str, ...] = Field(
        default=(), description="Who has one of these claims is the teacher."
    )


class Configuration(BaseModel):
    """How this installation behaves. Read from `<workspace>/config.toml` and the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_folders: tuple[Path, ...] = Field(
        (), description="Folders of this machine that a page may read photos from."
    )
    cache_bytes: int = Field(10 * 2**30, ge=0, description="Most bytes of the feature cache.")
    slots: int = Field(0, ge=0, description="Runs at a time; 0 is one per GPU, or one.")
    runner: str = Field(
        "",
        description="Where jobs run: `local` is on this machine, `cluster` on the nodes of `[cluster]`; "
        "empty is the cluster where one is named, else this machine.",
    )
    heartbeat_lost_s: float = Field(
        30.0,
        gt=0,
        description="A living process without a heartbeat for so long is said not to answer.",
    )
    default_backbone: str = Field(
        "",
        description="The backbone that is offered first, such as `starter` on slow machines; "
        "empty is the best whose weights are here.",
    )
    allow_downloads: bool = Field(True, description="Whether backbone weights may be downloaded.")
    measure_speed: bool = Field(
        True, description="Whether a page may measure this machine's speed in the background."
    )
    standby: bool = Field(
        True,
        description="Whether a worker process waits with TensorFlow loaded, so that training "
        "starts at once.",
    )
    standby_idle_s: float = Field(
        600.0, gt=0, description="A waiting worker ends after so long without work."
    )
    look_ahead: bool = Field(
        True,
        description="Whether photos are looked at in the background, at the lowest priority, while a "
        "page shows them, so that training begins at once.",
    )
    language: str = Field(
        "",
        description="Language of pages, reports and commands: `en`, `zh_CN` or `de`; empty is that of "
        "the browser or terminal. On pages each person may choose another.",
    )
    weights_url: str = Field(
        "", description="Folder on the web that holds the weights files, instead of Keras' own."
    )
    limits: Limits = Limits()
    quotas: Quotas = Quotas()
    school: School = School()
    cluster: Cluster = Cluster()

    @property
    def runner_in_use(self) -> str:
        """`runner`, or what it means where it is empty."""
        return self.runner or ("cluster" if self.cluster.address else "local")


_KEY_OF_OBJECT = {
    "limits": "files",
    "quotas": "photos",
    "school": "metadata_url",
    "cluster": "processors",
}
"""The parts of the configuration that are objects, with a key of each for an example."""


def load_configuration() -> Configuration:
    """The configuration of this installation: defaults, then `config.toml`, then environment.

    `TRANSLEARN_SOURCE_FOLDERS` is a list separated as `PATH` is; `TRANSLEARN_LIMITS`,
    `TRANSLEARN_QUOTAS`, `TRANSLEARN_SCHOOL` and `TRANSLEARN_CLUSTER` are JSON objects; the other variables
    hold one value each.

    Raises:
        SettingsError: a value that is not allowed; the message names it and its source.
    """
    path = spaces.root() / "config.toml"
    named = {
        name: os.environ.get(f"TRANSLEARN_{name.upper()}") for name in Configuration.model_fields
    }
    mark: tuple[int, ...]
    try:
        status = path.stat()
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
    except OSError:  # there is none
        mark = ()
    return _read.get(path, (mark, tuple(named.values())), lambda: _read_configuration(path, named))


_read = Memory(4)
"""Configurations, by their files: pages ask for it many times."""


def _read_configuration(path: Path, named: Mapping[str, str | None]) -> Configuration:
    values: dict[str, Any] = {}
    if path.is_file():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(
                _("{file} cannot be read: {cause}. Fix or delete the file.").format(
                    file=path, cause=error
                )
            ) from error
    for name, text in named.items():
        if text is None:
            continue
        if name == "source_folders":
            values[name] = [part for part in text.split(os.pathsep) if part]
        elif name in _KEY_OF_OBJECT:
            values[name] = _parse_object(name, text)
        else:
            values[name] = text
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(
            _("The configuration value `{name}` is not usable: {cause}. See {file}.").format(
                name=".".join(map(str, first["loc"])), cause=first["msg"], file=path
            )
        ) from error


def _parse_object(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(
            _(
                "The environment variable `{variable}` must hold a JSON object, like "
                '{{"{key}": 1000}}. Received: {received}.'
            ).format(
                variable=f"TRANSLEARN_{name.upper()}",
                key=_KEY_OF_OBJECT[name],
                received=text,
            )
        ) from error

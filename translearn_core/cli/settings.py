"""The settings of a run as command line options.

Owns: one option for each setting, and how options, presets and `--set` go together.
Leaves to others: what the settings are (`run_settings.py`), which of them make sense together
(`recipe/resolve.py`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.recipe.presets import get_preset
from translearn_core.run_settings import Settings, make_settings, setting_fields

HELP: dict[str, str] = {
    "backbone": "Pretrained network: a name that `backbones` lists.",
    "freeze": "Frozen blocks of the backbone: all, none, or N for the first N; -2: all but the "
    "last two. Default all, or none with --adversarial.",
    "epochs": "Maximum number of epochs.",
    "seed": "Random seed of the split and the initial weights.",
    "adversarial": "Adversarial training: fgsm or pgd.",
    "strength": "Perturbation size (epsilon), as a share of the pixel range.",
    "start_from": "Warm start from this run.",
    "adapt_to": "Domain adaptation: unlabelled photos of the target domain.",
    "adaptation": "Adaptation method: auto, batchnorm, coral, dann or pseudo.",
    "unlabelled": "Self-training: unlabelled photos of the same classes.",
    "distill_from": "Distillation: the run of the teacher.",
    "compare_plain": "Also train without techniques, as a baseline.",
}
"""Help of options where the command line says it otherwise than the settings table."""

_METAVARS = {"run": "RUN", "photos": "DIR"}


def with_setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose `**settings` is an option for each setting: `hidden_units` -> `--hidden-units`.

    The command receives the settings that were named, and no others.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [_option_of(name, field) for name, field in setting_fields().items()]

    @functools.wraps(command)
    def run(**values: Any) -> Any:
        named = {name: values.pop(name) for name in setting_fields()}
        named = {name: value for name, value in named.items() if value not in (None, "")}
        return command(**values, **named)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own] + options
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _option_of(name: str, field: FieldInfo) -> inspect.Parameter:
    """The option of a setting; None where it is not named."""
    number = field.annotation if field.annotation in (int, float, bool) else str
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    option = typer.Option(
        help=HELP.get(name) or f"{field.title}. {extra['expert']}",
        metavar=_METAVARS.get(str(extra.get("picks"))) or "|".join(choices) or None,
    )
    annotation: Any = Annotated[number | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def make_settings_of(
    named: Mapping[str, Any], *, pairs: list[str] | None = None, preset: str = ""
) -> Settings:
    """The settings of a run from a preset, then `--set`, then the options, the later ones first.

    Args:
        named: settings that were given as options.
        pairs: values of `--set`, `NAME=VALUE`.
        preset: name of a row of `recipe.presets`; empty for none.

    Raises:
        SettingsError: a pair is malformed, or a name or value is not allowed.
    """
    values: dict[str, Any] = dict(get_preset(preset).settings) if preset else {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise SettingsError(
                _("`--set` takes NAME=VALUE, like `--set dropout=0.3`. Received: {text}.").format(
                    text=pair
                )
            )
        values[name.strip()] = value.strip()
    if named.get("adversarial", "none") != "none":  # a frozen backbone hardly gets more robust
        values.setdefault("freeze", "none")
    paths = {name for name, field in setting_fields().items() if _names_a_path(field)}
    values |= {n: _absolute(v) if n in paths else v for n, v in named.items()}
    return make_settings(values)


def _names_a_path(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and "picks" in extra


def _absolute(named: str) -> str:
    """The absolute path of a file or folder that exists; anything else, like an id, unchanged."""
    return str(Path(named).resolve()) if Path(named).exists() else named

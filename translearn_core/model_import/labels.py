"""labels.json beside an imported model, checked.

Owns: `Labels`, what it may hold, and the sentence that refuses it.
Leaves to others: reading the file out of its zip (`archive.py`), whether the names fit the model
(`inspect.py`).

Class names and tasks decide what every answer means, so a file with odd ones is refused; an odd
`image_size` or `backbone` is passed over, since the model itself has the last word on them, and so
is what is said beside answers (`aspect_ratios`, `told_by_shape`).
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from translearn_core.errors import InputError
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit

MOST_NAME = 200
"""Characters of the name of a class or a task, at most."""


def name_fault(name: str) -> str:
    """Why a text cannot be the name of a class or a task; empty where it can."""
    if not name.strip():
        return _("it is empty")
    if len(name) > MOST_NAME:
        return _("it has {n} characters, at most {most} are taken").format(
            n=len(name), most=MOST_NAME
        )
    if any(unicodedata.category(one) in ("Cc", "Cs") and not one.isspace() for one in name):
        return _("it holds control characters or broken text")
    return ""


def _check_name(name: str) -> str:
    fault = name_fault(name)
    if fault:
        raise ValueError(fault)
    return " ".join(name.split())


Name = Annotated[str, Field(strict=True), AfterValidator(_check_name)]


def _passed_over(instead: Any) -> WrapValidator:
    """Takes `instead` for a value that is not what it should be."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return instead

    return WrapValidator(validate)


class Task(BaseModel):
    """A further task: its name, and its classes in the order of the outputs."""

    model_config = ConfigDict(frozen=True)

    name: Name
    classes: list[Name] = Field(strict=True, min_length=2)


class Labels(BaseModel):
    """What labels.json says; `backbone` and `image_size` are whatever stands there."""

    model_config = ConfigDict(frozen=True)

    classes: list[Name] | None = Field(default=None, strict=True)
    tasks: list[Task] | None = Field(default=None, strict=True)
    image_size: Any = None
    fit: Fit = "stretch"
    aspect_ratios: Annotated[tuple[float, float] | None, _passed_over(None)] = None
    told_by_shape: Annotated[tuple[Name, ...], _passed_over(())] = ()
    backbone: Any = None


def read_labels(content: Any) -> Labels:
    """The checked content of labels.json.

    Args:
        content: the parsed JSON; None without the file.

    Raises:
        InputError: it is of another shape; the message names the first entry that is odd.
    """
    if content is None:
        return Labels()
    try:
        labels = Labels.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(error)) from error
    names = [task.name for task in labels.tasks or ()]
    if len(set(names)) < len(names):
        raise InputError(_refused(_("two tasks have one name")))
    return labels


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(
        f"{part + 1}" if isinstance(part, int) else shortened(str(part)) for part in first["loc"]
    )
    if first["type"] == "value_error":
        fault = f"{place}: {first['ctx']['error']}"
    elif first["type"] == "literal_error":
        fault = _("{place} is none of {allowed}").format(
            place=place, allowed=first["ctx"]["expected"]
        )
    elif place:
        fault = _("{place} is not what it should be (a text, or a list of texts)").format(
            place=place
        )
    else:
        fault = _("it is no JSON object")
    return _refused(fault)


def _refused(fault: str) -> str:
    return _(
        "labels.json beside the model cannot be used: {fault}. Take the zip as it was exported."
    ).format(fault=fault)

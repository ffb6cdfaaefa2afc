"""The Open Inference Protocol v2: tensors in, tensors out.

Owns: reading a request to `/v2/models/NAME/infer` and writing its answer, in JSON and with the binary
tensor data extension; the table of outputs; metadata.
Leaves to others: bounds on a body (`request_bounds.py`, `guard.py`), photos and answers (`models.py`), paths (`app.py`).

The input is named `photo`. As BYTES each element is a whole file (JPEG, PNG, …; in JSON as base64),
prepared as by the app. As UINT8 or FP32 of shape `(n, size, size, 3)` it holds RGB pixels from 0 to
255 that the client has prepared; FP32 must hold whole numbers, since a model takes bytes.

The binary extension: the header `Inference-Header-Content-Length` gives the bytes of the JSON, the
tensors follow in its order; each element of BYTES after its length as a little-endian uint32.

Specification: https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.prediction.predict import Prediction, Predictor
from translearn_core.service.photo_requests import decode_base64, parse_json, too_many
from translearn_core.service.refusals import RequestError

INPUT = "photo"
LENGTH_HEADER = "inference-header-content-length"
_PIXELS: dict[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
_WIRE: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "BOOL": np.dtype("?")}


@dataclass(frozen=True, kw_only=True)
class Output:
    """An output of a model.

    Attributes:
        datatype: FP32, BOOL or BYTES.
        width: elements of a photo; 0 where there is one, without an axis of its own.
        values: the values of a prediction.
    """

    name: str
    datatype: str
    values: Callable[[Prediction], Any]
    width: int = 0

    def shape(self, n: int) -> list[int]:
        """For `n` photos."""
        return [n, self.width] if self.width else [n]


def outputs_of(predictor: Predictor) -> list[Output]:
    """What a model answers. `unlike` and `other_shape` are there where the run can tell them."""
    classes = predictor.classes
    found = [
        Output(
            name="probabilities",
            datatype="FP32",
            width=len(classes),
            values=lambda one: _in_order(one.probabilities, classes),
        ),
        Output(name="label", datatype="BYTES", values=lambda one: one.label),
        Output(name="sure", datatype="BOOL", values=lambda one: one.sure),
    ]
    reference = predictor.reference
    if reference is not None and reference.threshold is not None and predictor.head is not None:
        found.append(Output(name="unlike", datatype="BOOL", values=lambda one: one.unlike))
    if predictor.aspect_ratios is not None:
        found.append(
            Output(name="other_shape", datatype="BOOL", values=lambda one: one.other_shape)
        )
    for head in predictor.tasks:
        found += _task_outputs(head.name, list(head.classes))
    return found


def _task_outputs(task: str, classes: list[str]) -> list[Output]:
    return [
        Output(
            name=f"{task}.probabilities",
            datatype="FP32",
            width=len(classes),
            values=lambda one: _in_order((one.tasks or {})[task], classes),
        ),
        Output(
            name=f"{task}.label",
            datatype="BYTES",
            values=lambda one: next(iter((one.tasks or {})[task])),
        ),
        Output(
            name=f"{task}.sure", datatype="BOOL", values=lambda one: (one.tasks_sure or {})[task]
        ),
    ]


def _in_order(probabilities: dict[str, float] | None, classes: Sequence[str]) -> list[float]:
    """Probabilities in the order of the classes."""
    found = probabilities or {}
    return [found[name] for name in classes]


def metadata(name: str, version: str, predictor: Predictor) -> dict[str, Any]:
    """What `/v2/models/NAME` says."""
    return {
        "name": name,
        "versions": [version],
        "platform": "openvino",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": one.name, "datatype": one.datatype, "shape": one.shape(-1)}
            for one in outputs_of(predictor)
        ],
    }


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """A request that was read: photos as `files`, or as `pixels` `(n, size, size, 3) uint8`.

    Attributes:
        wanted: the outputs, each with whether it comes as binary data.
    """

    id: str | None
    files: list[bytes]
    pixels: Array | None
    wanted: list[tuple[Output, bool]]


def read_request(
    body: bytes, header_length: str | None, *, side: int, outputs: list[Output], most: int
) -> InferRequest:
    """Read a request.

    Args:
        header_length: the value of `LENGTH_HEADER`.
        side: of the square that a photo becomes, in pixels.
        outputs: of the model, see `outputs_of`.
        most: photos of one request.

    Raises:
        RequestError: it is none that this model can answer.
    """
    content, data = _split(body, header_length)
    tensor, raw = _only_input(content, data)
    shape = _read_shape(tensor)
    datatype = tensor.get("datatype")
    files: list[bytes] = []
    pixels = None
    if datatype == "BYTES":
        if shape[1:] not in ([], [1]):
            raise RequestError(_("BYTES have the shape [n] or [n, 1], an element for each file."))
        _check_count(shape[0], most)
        files = _read_files(tensor, raw, shape[0])
    elif datatype in _PIXELS:
        if shape[1:] != [side, side, 3]:
            raise RequestError(
                _(
                    "Pixels have the shape [n, {side}, {side}, 3] (RGB). Received: {shape}. Or send "
                    "whole files as BYTES."
                ).format(side=side, shape=shape)
            )
        _check_count(shape[0], most)
        pixels = _read_pixels(tensor, raw, str(datatype), shape)
    else:
        raise RequestError(
            _(
                "The input `photo` has the datatype BYTES (whole files), UINT8 or FP32 (pixels). "
                "Received: {kind}."
            ).format(kind=shortened(str(datatype)))
        )
    identity = content.get("id")
    return InferRequest(
        id=identity if isinstance(identity, str) else None,
        files=files,
        pixels=pixels,
        wanted=_read_wanted(content, outputs, is_file=pixels is None),
    )


def write_answer(
    request: InferRequest, *, name: str, version: str, predictions: Sequence[Prediction]
) -> tuple[bytes, int | None]:
    """The answer to a request.

    Returns:
        The body, and the bytes of its JSON where binary data follows.
    """
    outputs, data = [], []
    for output, is_binary in request.wanted:
        values = [output.values(one) for one in predictions]
        entry: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": output.shape(len(predictions)),
        }
        if is_binary:
            raw = _as_binary(output.datatype, values)
            entry["parameters"] = {"binary_data_size": len(raw)}
            data.append(raw)
        else:
            entry["data"] = [one for row in values for one in row] if output.width else values
        outputs.append(entry)
    answer: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    return b"".join([text, *data]), len(text) if data else None


# ---------------------------------------------------------------------------------- request


def _split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, and the binary data after it."""
    if header_length is None:
        return parse_json(body), b""
    length = int(header_length) if header_length.isascii() and header_length.isdigit() else -1
    if not 0 <= length <= len(body):
        raise RequestError(
            _(
                "`Inference-Header-Content-Length` must be the bytes of the JSON at the beginning of "
                "the request ({n} bytes). Received: {received}."
            ).format(n=len(body), received=shortened(header_length))
        )
    return parse_json(body[:length]), body[length:]


def _only_input(content: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The one input of a request, and its binary data; None where it stands in the JSON."""
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RequestError(_("The request must have one input, `photo`, in the list `inputs`."))
    tensor = inputs[0]
    if tensor.get("name") != INPUT:
        raise RequestError(
            _("The input is named `photo`. Received: {name}.").format(
                name=shortened(str(tensor.get("name")))
            )
        )
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        return tensor, None
    if isinstance(size, bool) or not isinstance(size, int) or size != len(data):
        raise RequestError(
            _(
                "`binary_data_size` says {said}, and {n} bytes follow the JSON. Send all of the input, "
                "with `Inference-Header-Content-Length`."
            ).format(said=shortened(str(size)), n=len(data))
        )
    return tensor, data


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(_("`parameters` must be a JSON object, in braces."))
    return parameters


def _read_shape(tensor: dict[str, Any]) -> list[int]:
    shape = tensor.get("shape")
    is_shape = isinstance(shape, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**31 for n in shape
    )
    if not is_shape or not shape:
        raise RequestError(_("`shape` must be a list of numbers, like [1]."))
    return list(shape)


def _check_count(n: int, most: int) -> None:
    if n == 0:
        raise RequestError(_("There is no photo in the request."))
    if n > most:
        raise too_many(most)


def _read_files(tensor: dict[str, Any], raw: bytes | None, n: int) -> list[bytes]:
    if raw is not None:
        return _split_files(raw, n)
    data = tensor.get("data")
    flat = (
        [one for row in data for one in (row if isinstance(row, list) else [row])]
        if (isinstance(data, list))
        else []
    )
    if len(flat) != n or not all(isinstance(one, str) for one in flat):
        raise RequestError(
            _("`data` must be a list of {n} texts of base64, one for each file.").format(n=n)
        )
    files = []
    for number, text in enumerate(flat, 1):
        try:
            files.append(decode_base64(text))
        except ValueError as error:
            raise RequestError(
                _("{name} is not valid base64. Encode the whole file, and send it again.").format(
                    name=_("photo {n}").format(n=number)
                )
            ) from error
    return files


def _split_files(raw: bytes, n: int) -> list[bytes]:
    files: list[bytes] = []
    place = 0
    while place + 4 <= len(raw) and len(files) < n:
        (length,) = struct.unpack_from("<I", raw, place)
        place += 4
        if place + length > len(raw):
            break
        files.append(raw[place : place + length])
        place += length
    if len(files) != n or place != len(raw):
        raise RequestError(
            _(
                "The binary data does not hold {n} elements of BYTES, each after its length of 4 bytes."
            ).format(n=n)
        )
    return files


def _read_pixels(
    tensor: dict[str, Any], raw: bytes | None, datatype: str, shape: list[int]
) -> Array:
    kind, n = _PIXELS[datatype], math.prod(shape)
    if raw is not None:
        if len(raw) != n * kind.itemsize:
            raise RequestError(
                _("{shape} of {kind} are {n} bytes. Received: {received}.").format(
                    shape=shape, kind=datatype, n=n * kind.itemsize, received=len(raw)
                )
            )
        values: Array = np.frombuffer(raw, kind)
    else:
        try:
            values = np.asarray(tensor.get("data"), np.float32).reshape(-1)
        except (ValueError, TypeError, OverflowError) as error:
            raise RequestError(_("`data` must be a list of numbers.")) from error
        if len(values) != n:
            raise RequestError(
                _("{shape} are {n} numbers. Received: {received}.").format(
                    shape=shape, n=n, received=len(values)
                )
            )
    if values.dtype != np.uint8:
        if not ((values >= 0) & (values <= 255) & (np.trunc(values) == values)).all():
            raise RequestError(
                _(
                    "Pixels are whole numbers from 0 to 255, in the order red, green, blue: the model "
                    "scales them itself. Do not scale them before, and round them."
                )
            )
        values = values.astype(np.uint8)
    return values.reshape(shape)


def _read_wanted(
    content: dict[str, Any], outputs: list[Output], *, is_file: bool
) -> list[tuple[Output, bool]]:
    is_binary = _parameters(content).get("binary_data_output") is True
    known = {one.name: one for one in outputs if is_file or one.name != "other_shape"}
    asked = content.get("outputs")
    if asked is None or asked == []:
        return [(one, is_binary) for one in known.values()]
    wanted = []
    for entry in asked if isinstance(asked, list) else [None]:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(name, str) or name not in known:
            raise RequestError(
                _("The outputs of this model are {names}. Received: {name}.").format(
                    names=", ".join(known), name=shortened(str(name))
                )
            )
        parameters = _parameters(entry)
        if parameters.get("classification"):
            raise RequestError(
                _("`classification` is not offered. Ask for `label` and `probabilities` instead.")
            )
        wanted.append((known[name], parameters.get("binary_data", is_binary) is True))
    return wanted


def _as_binary(datatype: str, values: list[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [str(one).encode("utf-8", "replace") for one in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.asarray(values, _WIRE[datatype]).tobytes()

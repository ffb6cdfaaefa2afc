"""The photos of a request to `/v1/models/NAME:predict`.

Owns: what is read of a body: a form, JSON with base64, or one photo as it is; and its refusals.
Leaves to others: bounds on the length of a body (`request_bounds.py`, `guard.py`), decoding the photos (`models.py`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.service.refusals import RequestError

Photos = list[tuple[str, bytes]]
"""Name and bytes of each."""

MOST_VALUES = 4_000_000
"""Values in the JSON of a request: each takes far more memory than its text."""
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")
_SPACE = re.compile(r"\s+")
_URL_SAFE = str.maketrans("-_", "+/")
_MOST_HEADERS = 16
_MOST_HEADER_BYTES = 8192


def read_photos(body: bytes, content_type: str, *, most: int) -> Photos:
    """The photos of a request, at least one.

    Args:
        content_type: the header.
        most: photos of one request.

    Raises:
        RequestError: there are none, too many, or the body is none of a request.
    """
    kind, options = parse_options_header(content_type)
    media = kind.decode("latin-1").lower()
    if media == "multipart/form-data":
        photos = _read_form(body, options.get(b"boundary", b""), most)
    elif media == "application/json" or media.endswith("+json"):
        photos = _read_json(body, most)
    elif media.startswith("image/") or media == "application/octet-stream":
        photos = [(_("photo {n}").format(n=1), body)] if body else []
    else:
        raise RequestError(
            _(
                "The photos come as multipart/form-data, as application/json with base64, or one as "
                "image/jpeg or the like. Received: {kind}."
            ).format(kind=shortened(media) or _("no Content-Type")),
            status=415,
        )
    if not photos:
        raise RequestError(
            _(
                "There is no photo in the request. Send a form with files, or JSON like {example}."
            ).format(example='{"photos": ["<base64>"]}')
        )
    return photos


def too_many(most: int) -> RequestError:
    """The refusal of more photos than a request may have."""
    return RequestError(
        _("A request may have {most} photos at most. Send them in several.").format(most=most),
        status=413,
    )


# ------------------------------------------------------------------------------------- form


class _Form:
    """The files of a form, while it is parsed."""

    def __init__(self, most: int) -> None:
        self.photos: Photos = []
        self.is_whole = False
        self._most = most
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[str, bytes] = {}
        self._content: bytearray | None = None
        self._file_name = ""

    def on_part_begin(self) -> None:
        self._headers = {}
        self._content = None

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        _kind, options = parse_options_header(self._headers.get("content-disposition"))
        if b"filename" not in options and "content-type" not in self._headers:
            return  # a field of text
        if len(self.photos) == self._most:
            raise too_many(self._most)
        self._file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._content = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._content is not None:
            self._content += data[start:end]

    def on_part_end(self) -> None:
        if self._content or (self._content is not None and self._file_name):
            name = self._file_name or _("photo {n}").format(n=len(self.photos) + 1)
            self.photos.append((name, bytes(self._content)))

    def on_end(self) -> None:
        self.is_whole = True


def _read_form(body: bytes, boundary: bytes, most: int) -> Photos:
    form = _Form(most)
    names = [name for name in dir(form) if name.startswith("on_")]
    try:
        if not boundary:
            raise FormParserError("no boundary")
        parser = MultipartParser(
            boundary,
            {name: getattr(form, name) for name in names},  # type: ignore[arg-type]
            max_header_count=_MOST_HEADERS,
            max_header_size=_MOST_HEADER_BYTES,
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise _broken_form() from error
    if not form.is_whole:
        raise _broken_form()
    return form.photos


def _broken_form() -> RequestError:
    return RequestError(
        _(
            "The form is damaged, or ends too early: nothing of it was read. Let your program make "
            "the multipart/form-data, with its boundary, and send it again."
        )
    )


# ------------------------------------------------------------------------------------- JSON


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        RequestError: it is none, or has too many values.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise RequestError(
            _(
                "The JSON of a request may have {most:,} values at most. Send the photos as files, or "
                "their pixels as binary data."
            ).format(most=MOST_VALUES),
            status=413,
        )
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise RequestError(
            _("The request is not valid JSON: {cause}.").format(cause=shortened(reason, 120))
        ) from error
    if not isinstance(content, dict):
        raise RequestError(_("The request must be a JSON object, in braces."))
    return content


def _read_json(body: bytes, most: int) -> Photos:
    given = parse_json(body).get("photos")
    if not isinstance(given, list):
        raise RequestError(
            _("The JSON must hold a list `photos`, like {example}.").format(
                example='{"photos": ["<base64>"]}'
            )
        )
    if len(given) > most:
        raise too_many(most)
    return [_read_entry(entry, number) for number, entry in enumerate(given, 1)]


def _read_entry(entry: object, number: int) -> tuple[str, bytes]:
    """`"<base64>"` or `{"name": "a.jpg", "data": "<base64>"}`."""
    name, data = _("photo {n}").format(n=number), entry
    if isinstance(entry, dict):
        data = entry.get("data")
        given = entry.get("name", name)
        name = given if isinstance(given, str) and given else name
    if not isinstance(data, str):
        raise RequestError(
            _("Photo {n} must be a text of base64, or {example}.").format(
                n=number, example='{"name": "a.jpg", "data": "<base64>"}'
            )
        )
    try:
        return name, decode_base64(data)
    except ValueError as error:
        raise RequestError(
            _("{name} is not valid base64. Encode the whole file, and send it again.").format(
                name=shortened(name)
            )
        ) from error


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text, also of a data URL, with line breaks, or in letters for URLs.

    Raises:
        ValueError: it is none.
    """
    prefix = _DATA_URL.match(text)
    plain = _SPACE.sub("", text[prefix.end() :] if prefix else text).translate(_URL_SAFE)
    try:
        return base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error

"""The paths of the service.

Owns: what is asked where, the JSON of answers and errors, the OpenAPI description.
Leaves to others: who is let in (`guard.py`), reading requests (`photo_requests.py`,
`open_inference.py`), the models (`models.py`), the page to try it on (`templates/service/page.html`).

Every error is JSON with a sentence under `error`.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from enum import Enum
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from PIL import Image
from pydantic import BaseModel, Field

from translearn_core import __version__
from translearn_core.errors import PhotoError
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.imaging.processors import processor_count
from translearn_core.prediction.predict import Prediction
from translearn_core.service import open_inference
from translearn_core.service.figures import CONTENT_TYPE, Figures
from translearn_core.service.guard import Json, respond
from translearn_core.service.models import Asked, Models, Version
from translearn_core.service.photo_requests import read_photos
from translearn_core.service.refusals import RequestError
from translearn_core.service.request_bounds import Bounds
from translearn_core.templates import FOLDER

logger = logging.getLogger(__name__)

T = TypeVar("T")
_PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ModelFacts(BaseModel):
    """What is known of a model that is served."""

    name: str
    version: str = Field(description="Differs between two versions of the model.")
    run: str = Field(description="Name of the folder of the run.")
    classes: list[str]
    tasks: dict[str, list[str]] = Field(description="Further task -> its classes.")
    image_size: int = Field(description="Side of the square that a photo becomes, in pixels.")
    sure_from: float = Field(description="A confidence below it is `sure: false`.")
    notices: list[str] = Field(description="What to know of its answers.")
    problem: str = Field(description="Why a newer version is not taken over; empty: none is.")


class Answer(BaseModel):
    """The answers about the photos of a request, in their order."""

    model: str
    version: str
    predictions: list[Prediction]
    notices: list[str] = Field(description="What to know of the answers of this model.")


class Refusal(BaseModel):
    """Why a request is not answered."""

    error: str = Field(description="A sentence: what is wrong, and what to do.")


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The request, or every photo of it, cannot be read."},
    401: {"model": Refusal, "description": "The key is missing or not known."},
    404: {"model": Refusal, "description": "There is no model of this name."},
    413: {"model": Refusal, "description": "It is too long, or has too many photos."},
}


def make_app(models: Models, *, figures: Figures, bounds: Bounds) -> FastAPI:
    """The service as an ASGI application; `guard.Guard` belongs in front of it."""
    app = FastAPI(
        title="TransLearn",
        version=__version__,
        summary="Image classifiers, asked over HTTP.",
        docs_url=None,
        redoc_url=None,
    )
    _add_errors(app)
    _add_pages(app, figures)
    asker = _Asker(figures)
    _add_predict(app, models, asker, bounds)
    _add_inference(app, models, asker, bounds)
    return app


class _Asker:
    """Asks a version about files: decoding in threads, then the model with what others ask."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._pool = ThreadPoolExecutor(processor_count(), thread_name_prefix="decode")

    async def beside(self, call: Callable[[], T]) -> T:
        """The result of `call` in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def ask(self, version: Version, files: Sequence[tuple[str, bytes]]) -> list[Prediction]:
        """A prediction for each file; one that cannot be read has an `error`."""
        loop = asyncio.get_running_loop()
        decoded = await asyncio.gather(
            *(loop.run_in_executor(self._pool, version.decode, data) for _name, data in files)
        )
        answered = iter(
            await self.ask_decoded(version, [d for d in decoded if isinstance(d, Asked)])
        )
        predictions = []
        for (name, _data), photo in zip(files, decoded, strict=True):
            if isinstance(photo, PhotoError):
                predictions.append(Prediction(file=name, error=photo.message))
                self._figures.photo(version.name, "unreadable")
            else:
                predictions.append(replace(next(answered), file=name))
        return predictions

    async def ask_decoded(self, version: Version, photos: Sequence[Asked]) -> list[Prediction]:
        """A prediction for each photo, with an empty `file`."""
        predictions = await asyncio.gather(
            *(asyncio.wrap_future(version.ask(photo)) for photo in photos)
        )
        for one in predictions:
            outcome = "unlike" if one.unlike else "sure" if one.sure else "not_sure"
            self._figures.photo(version.name, outcome)
        return list(predictions)


# ------------------------------------------------------------------------------------- paths


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestError)
    async def refuse(_request: Request, error: RequestError) -> Response:
        return respond(error)

    @app.exception_handler(HTTPException)
    @app.exception_handler(404)
    @app.exception_handler(405)
    async def not_here(request: Request, error: HTTPException) -> Response:
        words = {
            404: _("There is nothing at {path}. The page /docs names all paths."),
            405: _("{path} is not asked with {method}. The page /docs names all paths."),
        }
        text = words.get(error.status_code, str(error.detail))
        text = text.format(path=shortened(request.url.path, 120), method=request.method)
        return respond(RequestError(text, status=error.status_code))

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> Response:  # the log has it
        text = _("The service failed on this request. Its log says why.")
        return respond(RequestError(text, status=500))


def _add_pages(app: FastAPI, figures: Figures) -> None:
    page = (FOLDER / "service" / "page.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(page, headers={"content-security-policy": _PAGE_POLICY})

    @app.get("/metrics", tags=["service"], summary="Figures for Prometheus")
    async def metrics() -> Response:
        return Response(figures.text(), media_type=CONTENT_TYPE)


def _add_predict(app: FastAPI, models: Models, asker: _Asker, bounds: Bounds) -> None:
    @app.get("/v1/models", tags=["predict"], summary="All models", response_model=list[ModelFacts])
    async def list_models() -> Response:
        return Json([_facts(models, name) for name in models.names])

    @app.get(
        "/v1/models/{name}",
        tags=["predict"],
        summary="One model",
        response_model=ModelFacts,
        responses={404: _REFUSALS[404]},
    )
    async def show_model(name: str) -> Response:
        if name.endswith(":predict"):  # no name of a model has a colon
            raise HTTPException(405)
        return Json(_facts(models, name))

    @app.post(
        "/v1/models/{name}:predict",
        tags=["predict"],
        summary="Ask about photos",
        response_model=Answer,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _photo_body()},
    )
    async def predict(name: str, request: Request) -> Response:
        with models.use(name) as version:
            body = await _read_body(request)
            kind = request.headers.get("content-type", "")
            files = await asker.beside(lambda: read_photos(body, kind, most=bounds.photos))
            predictions = await asker.ask(version, files)
            rows = [asdict(one) for one in predictions]
            if all(one.error for one in predictions):
                raise RequestError(_unreadable(predictions), more={"predictions": rows})
            return Json(
                {
                    "model": name,
                    "version": version.id,
                    "predictions": rows,
                    "notices": version.predictor.notices,
                }
            )


def _facts(models: Models, name: str) -> dict[str, Any]:
    with models.use(name) as version:
        predictor = version.predictor
        return ModelFacts(
            name=name,
            version=version.id,
            run=version.run.folder.name,
            classes=predictor.classes,
            tasks={head.name: list(head.classes) for head in predictor.tasks},
            image_size=predictor.size,
            sure_from=version.decision.sure_from,
            notices=predictor.notices,
            problem=models.problem(name),
        ).model_dump()


def _unreadable(predictions: Sequence[Prediction]) -> str:
    first = predictions[0]
    reason = _("{file}: {reason}").format(file=shortened(first.file), reason=first.error)
    if len(predictions) == 1:
        return reason
    return _("None of the {n} files could be read as a photo. {first}").format(
        n=len(predictions), first=reason
    )


def _add_inference(app: FastAPI, models: Models, asker: _Asker, bounds: Bounds) -> None:
    tags: list[str | Enum] = ["Open Inference Protocol v2"]

    @app.get("/v2", tags=tags, summary="The service")
    async def server() -> Response:
        extensions = ["binary_tensor_data", "model_repository"]
        return Json({"name": "translearn", "version": __version__, "extensions": extensions})

    @app.get("/v2/health/live", tags=tags, summary="Whether it runs")
    async def live() -> Response:
        return Json({"live": True})

    @app.get("/v2/health/ready", tags=tags, summary="Whether it answers")
    async def ready() -> Response:
        return Json({"ready": True})

    @app.post("/v2/repository/index", tags=tags, summary="All models")
    async def index() -> Response:
        rows = []
        for name in models.names:
            with models.use(name) as used:
                rows.append({"name": name, "version": used.id, "state": "READY", "reason": ""})
        return Json(rows)

    @app.get("/v2/models/{name}", tags=tags, summary="Inputs and outputs")
    @app.get("/v2/models/{name}/versions/{version}", include_in_schema=False)
    async def describe(name: str, version: str = "") -> Response:
        with models.use(name) as used:
            _check_version(used, version)
            return Json(open_inference.metadata(name, used.id, used.predictor))

    @app.get("/v2/models/{name}/ready", tags=tags, summary="Whether a model answers")
    @app.get("/v2/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, version: str = "") -> Response:
        with models.use(name) as used:
            _check_version(used, version)
            return Json({"name": name, "ready": True})

    @app.post(
        "/v2/models/{name}/infer",
        tags=tags,
        summary="Ask about photos as tensors",
        responses=_REFUSALS,
        openapi_extra={"requestBody": _tensor_body()},
    )
    @app.post("/v2/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(name: str, request: Request, version: str = "") -> Response:
        with models.use(name) as used:
            _check_version(used, version)
            body = await _read_body(request)
            length = request.headers.get(open_inference.LENGTH_HEADER)
            asked = await asker.beside(
                lambda: open_inference.read_request(
                    body,
                    length,
                    side=used.predictor.size,
                    outputs=open_inference.outputs_of(used.predictor),
                    most=bounds.photos,
                )
            )
            predictions = await _infer(asker, used, asked)
            content, json_bytes = open_inference.write_answer(
                asked, name=name, version=used.id, predictions=predictions
            )
        if json_bytes is None:
            return Response(content, media_type="application/json")
        return Response(
            content,
            media_type="application/octet-stream",
            headers={open_inference.LENGTH_HEADER: str(json_bytes)},
        )


async def _infer(
    asker: _Asker, version: Version, asked: open_inference.InferRequest
) -> list[Prediction]:
    if asked.pixels is not None:
        return await asker.ask_decoded(version, [Asked(image=image) for image in asked.pixels])
    names = [_("photo {n}").format(n=n) for n in range(1, len(asked.files) + 1)]
    predictions = await asker.ask(version, list(zip(names, asked.files, strict=True)))
    for one in predictions:
        if one.error:
            raise RequestError(
                _("{file} of {n} cannot be read: {reason}").format(
                    file=one.file, n=len(predictions), reason=one.error
                )
            )
    return predictions


def _check_version(used: Version, version: str) -> None:
    if version and version != used.id:
        raise RequestError(
            _(
                "{name} has the version {present} now, and no other is kept. Received: {version}."
            ).format(name=used.name, present=used.id, version=shortened(version)),
            status=404,
        )


async def _read_body(request: Request) -> bytes:
    """The whole body, which `guard.Guard` bounds."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise RequestError(
            _(
                "A compressed request is not read. Photos are compressed already: send them as they are."
            ),
            status=415,
        )
    parts = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestError(_("The request ended before its end."), close=True)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


# ------------------------------------------------------------------------------------- OpenAPI


def _sample() -> str:
    """A small drawn photo as base64, for the examples."""
    image = Image.new("RGB", (16, 16), (200, 60, 40))
    image.paste((245, 200, 70), (4, 4, 12, 12))
    data = io.BytesIO()
    image.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode("ascii")


def _photo_body() -> dict[str, Any]:
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    named = {
        "type": "object",
        "required": ["data"],
        "properties": {"name": {"type": "string"}, "data": {"type": "string"}},
    }
    photos = {"type": "array", "items": {"anyOf": [{"type": "string"}, named]}}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"photos": files}},
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["photos"],
                    "properties": {"photos": photos},
                },
                "example": {"photos": [{"name": "drawn.png", "data": _sample()}]},
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }


def _tensor_body() -> dict[str, Any]:
    tensor = {"name": "photo", "datatype": "BYTES", "shape": [1], "data": [_sample()]}
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "inputs": {"type": "array", "items": {"type": "object"}},
                        "outputs": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "example": {"inputs": [tensor]},
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }

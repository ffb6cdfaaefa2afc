"""A server as tutorials write it, to measure the service beside: FastAPI, Keras, `model.predict`.

    python -m benchmarks.plain_server RUN_DIR

One path takes one photo as it is, TensorFlow decodes and resizes it, the model answers about it alone. It
says nothing of "not sure" or "unlike anything seen", and reads fewer kinds of files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request


def make_app(folder: Path) -> FastAPI:
    """The server of the run in a folder."""
    import keras
    import tensorflow as tf

    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    side, classes = labels["image_size"], labels["classes"]
    model = keras.models.load_model(folder / "model.keras")
    app = FastAPI()

    def predict(data: bytes) -> dict[str, Any]:
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        batch = tf.image.resize(image, (side, side), antialias=True)[None]  # (1, side, side, 3)
        found = model.predict(batch, verbose=0)[0]
        probabilities = {name: float(p) for name, p in zip(classes, found, strict=True)}
        return {"label": classes[int(found.argmax())], "probabilities": probabilities}

    @app.post("/v1/models/run:predict")
    async def answer(request: Request) -> dict[str, Any]:
        return predict(await request.body())

    return app


def main() -> None:
    """Serve on a free port, and say which as the service does."""
    app = make_app(Path(sys.argv[1]))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    with server.config.bind_socket() as listening:
        print(f"Ready: http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()

"""A GPU beside the processor of the same machine: speed, memory, and whether both answer alike.

Owns: the measurements, the table and the exit code of `scripts/gpu_check`. Each device is measured
in a process of its own, the processor with the GPUs hidden, by the code that trains: the engine of
the pass, the fit loop, the saved model.
Leaves to others: choosing a device (`graph/device.py`), setting up (`scripts/gpu_check`).

Photos are noise from a fixed seed: speed does not depend on what is on them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.monitor import Monitor

LIMIT_S = 85.0
"""For one device; both and their comparison take at most three minutes."""
EPOCHS = 3
"""Of each fit; the first also builds the graph and does not count."""
PARITY = 0.02
"""Largest difference of a probability between the devices: that of half precision."""
FITS = {"two_blocks_s": -2, "all_free_s": 0}
"""Which figure is that of which fit, by its `freeze`."""
COMPARED = 16
"""Photos that both devices answer."""
ALIKE, DIFFERS, NO_GPU = 0, 1, 3
"""Exit codes."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """What was measured on one device; None where its time was over."""

    device: str
    precision: str
    pass_per_s: float | None = None
    two_blocks_s: float | None = None
    all_free_s: float | None = None
    memory_mb: float | None = None
    took_s: float = 0.0


ROWS = {
    "precision": "Precision while training",
    "pass_per_s": "Pass, photos/s",
    "two_blocks_s": "Epoch, last two blocks free, s",
    "all_free_s": "Epoch, all blocks free, s",
    "memory_mb": "Peak memory, MB",
    "took_s": "Measured for, s",
}


def measure(
    backbone: str,
    size: int,
    photos: int,
    batch: int,
    answers: Path,
    *,
    fits: Mapping[str, int] = FITS,
) -> Column:
    """Measure the device that this process sees.

    Args:
        backbone: a row of the table, with ready weights.
        size: side of the photos in pixels; 0 is the backbone's own.
        photos: of the pass and of each epoch.
        batch: photos of a training step.
        fits: the figure of each fit and its `freeze`.
        answers: a file for what the frozen network and a fixed head answer, `(n, 4)`; beside it the
            column so far is kept after each figure (`.json`).
    """
    began = time.monotonic()
    from translearn_core.backbones import get_backbone
    from translearn_core.backbones.freezing import freeze_choice
    from translearn_core.graph import gpus
    from translearn_core.graph.device import prepare_device
    from translearn_core.graph.engine import run_engine, run_keras
    from translearn_core.graph.kept_engines import open_prefix_engine

    device = prepare_device()
    import keras

    from translearn_core.graph.assembly import assemble, build_head, set_trainable, split_at
    from translearn_core.graph.build import build_backbone
    from translearn_core.graph.saving import load_model, save_model
    from translearn_core.run_settings import Settings

    row = get_backbone(backbone)
    size = size or row.default_size
    pixels = np.random.default_rng(0).integers(0, 256, (photos, size, size, 3), dtype=np.uint8)
    network = build_backbone(row, size=size)
    precision = str(keras.config.dtype_policy().name)
    figures: dict[str, Any] = {"device": device, "precision": precision}

    def keep() -> Column:
        memory = _peak_bytes(on_gpu=bool(gpus.count_gpus())) / 1e6
        column = Column(**figures, memory_mb=memory, took_s=time.monotonic() - began)
        answers.with_suffix(".json").write_text(json.dumps(asdict(column)), encoding="utf-8")
        return column

    cut = freeze_choice(row, "all").cut_layer
    with tempfile.TemporaryDirectory() as folder:
        opened = open_prefix_engine(Path(folder) / "net.xml", lambda: split_at(network, cut)[0])
        run_engine(opened, pixels)  # what is done once is done now
        start = time.monotonic()
        run_engine(opened, pixels)
        figures["pass_per_s"] = photos / (time.monotonic() - start)
        keep()

        settings = Settings(head="linear", dropout=0.0, batch_size=batch, early_stopping=False)
        head = build_head(row.features, 4, settings)
        kernel = np.random.default_rng(1).normal(0, 0.05, (row.features, 4))
        head.layers[-1].set_weights([kernel, np.zeros(4)])
        prefix, _none = split_at(network, cut)
        model = assemble(prefix, None, head)
        own = np.asarray(keras.ops.convert_to_numpy(model(pixels[:COMPARED].astype("float32"))))
        save_model(model, Path(folder) / "model.keras")
        loaded = load_model(Path(folder) / "model.keras")
        if {layer.compute_dtype for layer in loaded.layers[1:]} != {"float32"}:
            raise SystemExit("The saved model is not in float32.")
        saved = run_keras(loaded, pixels[:COMPARED])
        np.savez(answers, own=own, saved=saved)

    for name, freeze in fits.items():
        if time.monotonic() - began > LIMIT_S / 2:
            break
        prefix, suffix = split_at(network, freeze_choice(row, freeze).cut_layer)
        set_trainable(suffix)
        learner = keras.Sequential([keras.Input(pixels.shape[1:]), prefix, suffix, head])
        figures[name] = _epoch_s(learner, pixels, settings, began)
        keep()
    return keep()


def _epoch_s(model: Any, pixels: np.ndarray, settings: Any, began: float) -> float | None:
    """Seconds of the quickest epoch but the first."""
    from translearn_core.fitting.fit import fit
    from translearn_core.fitting.fit_spec import FitSpec
    from translearn_core.fitting.inputs import InMemory
    from translearn_core.fitting.subsets import Subset

    rows = np.arange(len(pixels))
    train = Subset(
        source=InMemory(pixels), rows=rows, labels=rows % 4, weights=np.ones(len(rows), np.float32)
    )
    nothing = Subset(
        source=InMemory(pixels), rows=rows[:0], labels=rows[:0], weights=np.ones(0, np.float32)
    )
    clock = _Clock(began)
    fit(model, train, nothing, FitSpec(settings=settings, phase="fine_tune", epochs=EPOCHS), clock)
    return min(clock.epochs_s[1:], default=None)


class _Clock(Monitor):
    """A monitor that keeps the time of epochs, and stops a fit when the device's time is over."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.epochs_s: list[float] = []

    @property
    def stop_requested(self) -> bool:
        """See `Monitor`."""
        return time.monotonic() - self._began > LIMIT_S * 0.8

    def event(self, kind: str, **fields: Any) -> None:
        """See `Monitor`."""
        if kind == "epoch":
            self.epochs_s.append(float(fields["seconds"]))

    def warning(self, text: str) -> None:
        """See `Monitor`."""
        print(text, file=sys.stderr)


def _peak_bytes(*, on_gpu: bool) -> float:
    """The most memory that was in use: the GPU's by TensorFlow, else that of this process."""
    if on_gpu:
        import tensorflow as tf

        return float(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    import resource

    most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most if sys.platform == "darwin" else most * 1024


# ------------------------------------------------------------------------------------ comparing


def largest_difference(cpu: Path, gpu: Path) -> float:
    """Of the probabilities that the devices gave, and that the model saved on the GPU gives."""
    with np.load(cpu) as one, np.load(gpu) as other:
        return float(max(np.abs(one["own"] - other[name]).max() for name in ("own", "saved")))


def table(columns: list[Column]) -> str:
    """The columns side by side, as text."""
    lines = [["", *(column.device for column in columns)]]
    for name, title in ROWS.items():
        lines.append([title, *(_figure(getattr(column, name)) for column in columns)])
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns) + 1)]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(t.rjust(w) for t, w in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    )


def _figure(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def verdict(difference: float | None, *, has_gpu: bool, usable: bool) -> tuple[str, int]:
    """What it means, and the exit code.

    Args:
        difference: see `largest_difference`; None where there was nothing to compare.
        has_gpu: whether `nvidia-smi` lists one.
        usable: whether TensorFlow can use it.
    """
    if not has_gpu:
        return (
            "There is no NVIDIA GPU here (`nvidia-smi` lists none): this is the CPU alone.",
            NO_GPU,
        )
    if not usable:
        text = "There is a GPU, but TensorFlow cannot use it. Install requirements-gpu.txt."
        return text, DIFFERS
    if difference is None:
        return "The GPU could not be measured to the end; see above.", DIFFERS
    text = f"Probabilities differ by up to {difference:.1e} (at most {PARITY} is allowed)."
    return text, ALIKE if difference <= PARITY else DIFFERS


def _measured_apart(options: argparse.Namespace, answers: Path, *, gpu: bool) -> Column | None:
    """`measure` in a process of its own; None where it failed or did not end."""
    hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": "-1"}
    given = [options.backbone, options.size, options.photos, options.batch]
    command = [sys.executable, "-m", "scripts.gpu", "--answers", str(answers)]
    for name, value in zip(("--backbone", "--size", "--photos", "--batch"), given, strict=True):
        command += [name, str(value)]
    environment = os.environ | hidden | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(command, env=environment, timeout=LIMIT_S, check=False)
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        print("One device took too long: what it did so far is shown.", file=sys.stderr)
        failed = False
    kept = answers.with_suffix(".json")
    if failed or not kept.is_file():
        return None
    return Column(**json.loads(kept.read_text(encoding="utf-8")))


def main(arguments: list[str] | None = None) -> int:
    """Measure both devices, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gpu_check", description=__doc__)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=0, help="side of the photos; 0: its own")
    parser.add_argument("--photos", type=int, default=128, help="of the pass and of an epoch")
    parser.add_argument("--batch", type=int, default=32, help="photos of a training step")
    parser.add_argument("--answers", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.answers:
        measure(options.backbone, options.size, options.photos, options.batch, options.answers)
        return ALIKE
    from translearn_core.graph.gpus import listed_gpus, visible_gpus

    has_gpu, usable = listed_gpus() > 0, bool(visible_gpus())
    difference = None
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / "cpu.npz", Path(folder) / "gpu.npz"]
        columns = [_measured_apart(options, places[0], gpu=False)]
        if usable:
            columns.append(_measured_apart(options, places[1], gpu=True))
            if all(place.is_file() for place in places) and None not in columns:
                difference = largest_difference(*places)
                usable = not columns[1].device.startswith("CPU")  # type: ignore[union-attr]
    text, code = verdict(difference, has_gpu=has_gpu, usable=usable)
    shown = [column for column in columns if column is not None]
    print(
        f"{options.backbone}, {options.photos} photos, steps of {options.batch}",
        table(shown),
        sep="\n",
    )
    print(text)
    return code if None not in columns else DIFFERS


if __name__ == "__main__":
    sys.exit(main())

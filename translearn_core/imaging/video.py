"""Frames of a video file: at a distance in time, upright, without near-copies of the one before.

Owns: which files are videos, opening them, choosing and encoding frames. Leaves to others: where the
frames go (`datasets/video_candidates.py`). PyAV is imported only when a video is read.

A file is opened by the kind that its first bytes show, from memory: a playlist or a list of other files
that is called a video is refused and opens nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from translearn_core.arrays import Array
from translearn_core.errors import PhotoError
from translearn_core.i18n import _

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"})
EVERY_S = 0.5
"""Default distance of two frames, in seconds."""
MOST_FRAMES = 300
"""Frames that are taken of one video."""
_MOST_DECODED = 40_000
_STILL_FRAMES = 300
"""Frames in a row without motion, after which only key frames are decoded, at least `_STILL_STEP_S` apart,
until something moves."""
_STILL_STEP_S = 2.0
_WATCH_EVERY = 50
_MOST_PIXELS = 4096 * 2304
_LONGEST = 1280
_QUALITY = 92
_LOOK = (32, 18)
_STILL = 2.5
"""Mean difference of two small grey pictures, in levels, below which nothing has moved."""
_HEAD_BYTES = 16


@dataclass(frozen=True)
class VideoFrame:
    """A frame as JPEG; `number` is its place in time, in hundredths of a second."""

    number: int
    content: bytes


def is_video(name: str) -> bool:
    """Whether a file is called as videos are."""
    return PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def read_frames(
    content: bytes,
    *,
    every_s: float = EVERY_S,
    most: int = MOST_FRAMES,
    watch: Callable[[], None] = lambda: None,
) -> Iterator[VideoFrame]:
    """The frames of a video at a distance of at least `every_s` seconds, in order.

    Frames that look like the last one taken are passed over; where nothing has moved for a while,
    only key frames are looked at until something does, so that motion shorter than their distance can be
    missed there. At most `most` are given; of a video that ends early, those before its end. `watch` is called again and again, also while nothing moves;
    what it raises ends the reading.

    Raises:
        PhotoError: it is no video that can be read here, or no frame of it can be decoded.
    """
    av = _library()
    kind = _kind_of(content)
    try:
        with av.open(io.BytesIO(content), format=kind, mode="r") as container:
            yield from _frames(av, container, every_s, most, watch)
    except (av.FFmpegError, ValueError, EOFError, MemoryError) as error:
        raise PhotoError(_damaged()) from error


def _frames(
    av: ModuleType, container: Any, every_s: float, most: int, watch: Callable[[], None]
) -> Iterator[VideoFrame]:
    if not container.streams.video:
        raise PhotoError(_("The file has no picture, only sound."))
    stream = container.streams.video[0]
    codec = stream.codec_context
    codec.thread_count = 2
    codec.options = {"max_pixels": str(_MOST_PIXELS)}  # what grows later is not decoded either
    if codec.width * codec.height > _MOST_PIXELS:
        raise PhotoError(
            _(
                "The video is too large: {width} by {height} pixels. Save it with at most 4096 by "
                "2304."
            ).format(width=codec.width, height=codec.height)
        )
    shrink = av.video.reformatter.VideoReformatter().reformat
    taken, due, last, pace = 0, 0.0, None, _Pace()
    for place, frame in enumerate(_decoded(av, container, stream, pace)):
        if place >= _MOST_DECODED or taken >= most:
            break
        if place % _WATCH_EVERY == 0 or pace.is_slow:
            watch()
        time_s = _time_of(frame, stream, place)
        pace.pass_by(time_s)
        if time_s < due:
            continue
        small = shrink(frame, width=_LOOK[0], height=_LOOK[1], format="gray")
        look = small.to_ndarray().astype(np.float32)
        if last is not None and float(np.abs(look - last).mean()) < _STILL:
            continue
        last, due = look, time_s + every_s
        taken += 1
        pace.hurry()
        yield VideoFrame(max(0, round(100 * time_s)), _jpeg(_upright(frame)))
    if not taken:
        raise PhotoError(_damaged())


class _Pace:
    """Which packets are decoded: all, or where nothing has moved for a while a few."""

    def __init__(self) -> None:
        self._still = 0
        self._next_s = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether only key frames are decoded now."""
        return self._still >= _STILL_FRAMES

    def pass_by(self, time_s: float) -> None:
        """A frame was decoded."""
        self._still += 1
        self._next_s = time_s + _STILL_STEP_S

    def hurry(self) -> None:
        """Something has moved."""
        self._still = 0

    def wants(self, packet: Any, stream: Any) -> bool:
        """Whether a packet is decoded; the last one of a file holds nothing and always is."""
        if not self.is_slow or packet.pts is None or not packet.time_base:
            return True
        time_s = float((packet.pts - (stream.start_time or 0)) * packet.time_base)
        return bool(packet.is_keyframe) and time_s >= self._next_s


def _decoded(av: ModuleType, container: Any, stream: Any, pace: _Pace) -> Iterator[Any]:
    """The frames that can be decoded; what is damaged behind the first ones ends them."""
    some = False
    try:
        for packet in container.demux(stream):
            if not pace.wants(packet, stream):
                continue
            for frame in packet.decode():
                some = True
                yield frame
    except (av.FFmpegError, EOFError):
        if not some:
            raise


def _time_of(frame: Any, stream: Any, place: int) -> float:
    """When a frame is shown, in seconds from the beginning of the video."""
    if frame.pts is not None and frame.time_base:
        return float((frame.pts - (stream.start_time or 0)) * frame.time_base)
    return place / float(stream.average_rate or 25)


def _upright(frame: Any) -> Image.Image:
    """A frame as it is shown, no side longer than `_LONGEST`."""
    pixels: Array = frame.to_ndarray(format="rgb24")
    turns = round(float(getattr(frame, "rotation", 0) or 0) / 90) % 4  # anticlockwise
    picture = Image.fromarray(np.ascontiguousarray(np.rot90(pixels, turns)))
    picture.thumbnail((_LONGEST, _LONGEST))
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=_QUALITY)
    return target.getvalue()


def _kind_of(content: bytes) -> str:
    """The reader for a file by its first bytes."""
    head = content[:_HEAD_BYTES]
    if not content:
        raise PhotoError(_("The file is empty (0 bytes)."))
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    raise PhotoError(
        _("The file is no video that is read here: save it as MP4, MOV or WebM and add it again.")
    )


def _damaged() -> str:
    return _("The video is damaged or cut off: no frame of it can be read. Save it anew as MP4.")


def _library() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise PhotoError(
            _("Videos need one more package here: install it with `pip install av`.")
        ) from error
    module: ModuleType = av
    return module

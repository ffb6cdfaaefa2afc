"""Videos among the files of an import: each gives its frames, which are one group.

Owns: `expand_videos`. Leaves to others: reading a video (`imaging/video.py`), the names of frames and
their groups (`recordings.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from translearn_core.atomic import disk_errors
from translearn_core.datasets.folder_listing import cannot_open
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.library import check_free_space
from translearn_core.datasets.recordings import frame_name
from translearn_core.errors import PhotoError
from translearn_core.i18n import _, number
from translearn_core.imaging.video import is_video, read_frames


def expand_videos(
    candidates: Sequence[Candidate], folder: Path, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    """Candidates with the frames of each video in its place; the frames are kept in `folder`.

    Raises:
        StorageError: the disk is full.
    """
    left_out: LeftOut = []
    found: list[Candidate] = []
    n = sum(is_video(item.file) for item in candidates)
    done = 0
    for item in candidates:
        if not is_video(item.file):
            found.append(item)
            continue
        context.report(done, n, _("Taking frames from {file}").format(file=item.file))
        try:
            found += _frames_of(item, folder / f"video-{done}", context)
        except PhotoError as error:
            left_out.append((item.file, error.message))
        except OSError as error:
            left_out.append((item.file, cannot_open(error)))
        done += 1
    return found, left_out


def without_videos(candidates: Sequence[Candidate]) -> tuple[list[Candidate], LeftOut]:
    """Candidates that can be left where they are; a video's frames have to be stored."""
    reason = _(
        "The frames of a video have to be stored, and these photos stay where they are. Put the folder "
        "into a zip, or bring it in as a copy."
    )
    left_out = [(item.file, reason) for item in candidates if is_video(item.file)]
    return [item for item in candidates if not is_video(item.file)], left_out


def _frames_of(item: Candidate, folder: Path, context: ImportContext) -> list[Candidate]:
    if item.size_bytes > context.limits.photo_bytes:
        raise PhotoError(
            _(
                "The video is too large: {size} MB. At most {limit} MB are read; cut it into shorter "
                "clips."
            ).format(
                size=number(item.size_bytes / 2**20, ".0f"),
                limit=number(context.limits.photo_bytes / 2**20, ".0f"),
            )
        )
    with disk_errors():
        folder.mkdir(parents=True)
    frames = []

    def watch() -> None:
        context.report(0, 0, _("Taking frames from {file}").format(file=item.file))

    for frame in read_frames(item.read(), every_s=context.choices.every_s, watch=watch):
        path = folder / str(frame.number)
        check_free_space(len(frame.content))
        with disk_errors():
            path.write_bytes(frame.content)
        frames.append(
            replace(
                item,
                file=frame_name(item.file, frame.number),
                size_bytes=len(frame.content),
                read=_take(path),
                look=path.read_bytes,
                path="",
            )
        )
        watch()
    return frames


def _take(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        content = path.read_bytes()
        path.unlink()
        return content

    return read

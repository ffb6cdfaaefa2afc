"""Videos among photos: frames at a distance, the clip a group, and what is refused."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from translearn_core import datasets
from translearn_core.cli import choices
from translearn_core.datasets import ImportChoices
from translearn_core.errors import PhotoError
from translearn_core.imaging.video import EVERY_S, read_frames
from translearn_ui.photos import upload_choices

av = pytest.importorskip("av")

FPS = 10
KINDS = {"mp4": ("mp4", "libx264"), "mov": ("mov", "mpeg4"), "webm": ("webm", "libvpx")}


def _film(kind: str, seconds: float, *, moves: bool = True, tint: int = 0) -> bytes:
    """A bright bar that moves over a dark picture, or stands still."""
    container, codec = KINDS[kind]
    content = io.BytesIO()
    with av.open(content, "w", format=container) as target:
        stream = target.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for place in range(round(seconds * FPS)):
            pixels = np.full((64, 96, 3), (30, 40, 30 + tint), np.uint8)
            left = (place * 3) % 76 if moves else 20
            pixels[:, left : left + 20] = (230, 210, 60)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return content.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_taken_at_a_distance(kind: str) -> None:
    frames = list(read_frames(_film(kind, 4), every_s=0.5))
    assert [frame.number for frame in frames] == pytest.approx(range(0, 400, 50), abs=11)
    pictures = [datasets.decode_photo(frame.content, size=None).image for frame in frames]
    assert {picture.shape for picture in pictures} == {(64, 96, 3)}
    bars = [np.flatnonzero(picture[32, :, 0] > 130).mean() for picture in pictures]
    moved = np.abs(np.diff(bars))
    assert (moved > 5).all(), "each shows another moment than the one before"


def test_what_stands_still_is_taken_once_and_never_too_much() -> None:
    assert len(list(read_frames(_film("mp4", 4, moves=False), every_s=0.1))) == 1
    assert len(list(read_frames(_film("mp4", 4), every_s=0.1, most=5))) == 5


def test_a_long_still_video_is_passed_over_quickly_and_what_moves_at_its_end_is_seen() -> None:
    still, moving = 1500, 60
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as target:
        stream = target.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.time_base, stream.gop_size = Fraction(1, FPS), 20
        for place in range(still + moving):
            pixels = np.full((64, 96, 3), (30, 40, 30), np.uint8)
            left = max(0, place - still) * 3 % 76
            pixels[:, left : left + 20] = (230, 210, 60)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        target.mux(stream.encode())
    looks: list[int] = []
    frames = list(read_frames(content.getvalue(), watch=lambda: looks.append(1)))
    assert frames[0].number == 0
    seen = [frame.number for frame in frames[1:]]
    assert len(seen) >= 4, "all is looked at again once something moves"
    assert seen[0] > 10 * still
    assert seen == sorted(seen)
    # before it slows down it watches every 50 frames, after that with each frame that it decodes
    assert len(looks) < still / 10


def test_a_video_that_ends_early_gives_what_it_has() -> None:
    film = _film("webm", 6)
    cut = list(read_frames(film[: len(film) * 2 // 3], every_s=0.5))
    assert 0 < len(cut) < 12


def test_a_video_that_was_held_upright_is_upright() -> None:
    """Phones store it lying, with a matrix that turns it by a quarter."""
    film = bytearray(_film("mp4", 1, moves=False))
    place = film.index(b"tkhd") + 4
    plain, turned = (0x10000, 0, 0, 0, 0x10000), (0, 0x10000, 0, -0x10000, 0)
    place = film.index(struct.pack(">5i", *plain), place)
    film[place : place + 20] = struct.pack(">5i", *turned)
    (frame,) = read_frames(bytes(film))
    picture = datasets.decode_photo(frame.content, size=None).image
    assert picture.shape == (96, 64, 3)
    bright = np.flatnonzero(picture[:, 32, 0] > 130)
    assert (bright.min(), bright.max()) == pytest.approx((20, 39), abs=2)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
BROKEN: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a text": lambda: b"no video at all, but a text of some length",
    "a playlist": lambda: PLAYLIST,
    "a list of files": lambda: b"ffconcat version 1.0\nfile /etc/hostname\n",
    "cut at once": lambda: _film("mp4", 2)[:300],
    "noise behind the head": lambda: _film("webm", 2)[:64] + np.random.default_rng(0).bytes(5000),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_video_is_refused_in_a_sentence(what: str) -> None:
    with pytest.raises(PhotoError, match=r"video|empty"):
        list(read_frames(BROKEN[what]()))


def test_videos_in_class_folders_give_groups(tmp_path: Path) -> None:
    path = tmp_path / "clips.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, tint in (("left", 0), ("right", 120)):
            for number in range(3):
                archive.writestr(f"{name}/{number}.mp4", _film("mp4", 3, tint=tint + 20 * number))
        archive.writestr("left/broken.mov", b"this is text")

    dataset = datasets.import_source(path, choices=ImportChoices(every_s=1.0))

    assert dataset.counts.to_dict() == {"left": 9, "right": 9}
    assert dataset.record.grouped_by == datasets.RECORDINGS
    assert set(dataset.photos["group_name"]) == {
        f"{name}/{number}.mp4" for name in ("left", "right") for number in range(3)
    }
    ((file, reason),) = dataset.left_out.itertuples(index=False)
    assert file == "left/broken.mov"
    assert "no video" in reason
    split = datasets.assign_splits(dataset, validation_share=0.2, test_share=0.2, seed=0)
    assert split.groupby(dataset.photos["group_name"].to_numpy()).nunique().max() == 1


def test_a_video_is_added_to_a_class_and_left_out_where_photos_stay(tmp_path: Path) -> None:
    dataset = datasets.create_dataset("Clips")
    films = [("walk.mp4", io.BytesIO(_film("mp4", 2)))]
    assert datasets.add_photos(dataset, "cat", films).added == 4
    assert datasets.single_recordings(dataset.photos) == {"cat": "cat/walk.mp4"}

    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(2):
            dataset.thumbnail(dataset.photos["path"].iloc[number]).replace(
                tmp_path / "pets" / name / f"{number}.jpg"
            )
    (tmp_path / "pets" / "cat" / "walk.mp4").write_bytes(_film("mp4", 2))
    in_place = datasets.import_source(tmp_path / "pets", in_place=True)
    assert in_place.counts.to_dict() == {"cat": 2, "dog": 2}
    ((file, reason),) = in_place.left_out.itertuples(index=False)
    assert file == "cat/walk.mp4"
    assert "stored" in reason


def test_a_video_among_unsorted_photos_stays_a_group_when_it_is_sorted(tmp_path: Path) -> None:
    path = tmp_path / "pile.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2):
            archive.writestr(f"{number}/walk.mp4", _film("mp4", 2, tint=90 * number))
    dataset = datasets.import_source(path, labels=datasets.NoClasses())
    films = [("run.mp4", io.BytesIO(_film("mp4", 2, tint=40)))]
    report = datasets.add_unsorted(dataset, films)
    unsorted = datasets.read_unsorted(dataset)
    assert len(unsorted) == 4 * 3
    assert report.added == len(report.paths) == 4
    assert dataset.record.grouped_by == datasets.RECORDINGS
    datasets.sort_photos(dataset, dict.fromkeys(unsorted["path"], "cat"))
    groups = dataset.photos.groupby("group_name").size()
    assert groups.to_dict() == {"0/walk.mp4": 4, "1/walk.mp4": 4, "run.mp4": 4}


def test_reading_can_be_ended_while_nothing_moves() -> None:
    calls: list[int] = []

    def watch() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise InterruptedError

    frames = read_frames(_film("mp4", 12, moves=False), watch=watch)
    next(frames)
    with pytest.raises(InterruptedError):
        next(frames)


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("translearn_core.imaging.video._MOST_PIXELS", 96 * 63)
    monkeypatch.setattr("translearn_core.imaging.video._decoded", None)
    with pytest.raises(PhotoError, match="96 by 64"):
        list(read_frames(_film("mp4", 1)))


def test_page_and_command_line_begin_with_the_distance_that_an_import_takes() -> None:
    assert choices.EVERY_S == upload_choices.EVERY_S == EVERY_S
    made = choices.make_choices(
        follow_links=False, keep_folder=None, folder_as=None, classes="", names=""
    )
    assert made.every_s == EVERY_S

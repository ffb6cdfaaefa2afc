"""Makes the moving picture of the README: `python -m scripts.moving_picture`.

Owns: `docs/images/camera.webp`: two classes are recorded, a model is trained, and its live answers
move. Starts the app with a workspace of its own; Chromium's camera shows films that are drawn here.
Waiting is left out: the picture is shorter than what it shows.
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Page

from scripts.pictured_app import IMAGES, app, page_in_chromium

WIDTH, HEIGHT = 1000, 700
SHOWN_WIDTH = 900
"""Pixels of the window, and of the picture."""
MOST_BYTES = 1_500_000
FRAME_MS = 180
RECORD_S, ANSWER_S = 3.0, 3.5
TRAINING_FRAMES = 14
"""Frames that tell of a training, whatever it takes."""
FILM_SIDE = (480, 360)
FILM_FRAMES = 80
"""Of a film, which is shown again and again."""


def main() -> None:
    """Take the picture and write it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, app() as url:
        film = Path(folder) / "camera.mjpeg"
        films = {name: _film(draw) for name, draw in (("cup", _draw_cup), ("ball", _draw_ball))}

        def show(name: str) -> None:
            film.write_bytes(films[name])

        show("cup")
        options = (
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        )
        with page_in_chromium(f"{url}/camera", width=WIDTH, height=HEIGHT, options=options) as page:
            frames = _walk(page, show)
    _write(frames, IMAGES / "camera.webp")


class _Recorder:
    """Pictures of a page, one after the other, each with how long it is shown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[tuple[Image.Image, int]] = []

    def take(self, ms: int = FRAME_MS) -> None:
        """Take one picture, which is shown for `ms` milliseconds."""
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        height = round(shot.height * SHOWN_WIDTH / shot.width)
        self.frames.append((shot.resize((SHOWN_WIDTH, height), Image.Resampling.LANCZOS), ms))

    def watch(self, seconds: float) -> None:
        """Take pictures for so long, as quickly as they are shown."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            due = time.monotonic() + FRAME_MS / 1000
            self.take()
            self.page.wait_for_timeout(max(1.0, 1000 * (due - time.monotonic())))


def _walk(page: Page, show: Callable[[str], None]) -> list[tuple[Image.Image, int]]:
    """Two classes, a training, live answers to both."""
    recorder = _Recorder(page)
    _wait_for_camera(page)
    recorder.take(700)
    _record(page, recorder, 0, "cup")
    _change_film(page, lambda: show("ball"))
    _record(page, recorder, 1, "ball")
    page.locator(".st-key-camera_train button:enabled").click()
    _watch_training(page, recorder)
    _wait_for_answer(page, "ball")
    page.locator(".tl-cam").evaluate("one => one.scrollIntoView({ block: 'start' })")
    page.locator("[data-testid=stMain]").evaluate("main => main.scrollTo(0, 0)")
    recorder.watch(ANSWER_S)
    _change_film(page, lambda: show("cup"))
    _wait_for_answer(page, "cup")
    recorder.watch(ANSWER_S)
    recorder.take(1800)
    return recorder.frames


def _record(page: Page, recorder: _Recorder, place: int, name: str) -> None:
    card = page.locator(".tl-cam-class").nth(place)
    box = card.locator("input[type=text]")
    box.fill(name)
    box.blur()
    recorder.take(500)
    card.locator(".tl-cam-hold").hover()
    page.mouse.down()
    recorder.watch(RECORD_S)
    page.mouse.up()
    recorder.take(400)
    n, told = -1, 0
    while n != told or not told:  # what is on its way arrives
        n = told
        page.wait_for_timeout(900)
        told = int(card.get_attribute("data-n") or 0)


def _change_film(page: Page, show: Callable[[], None]) -> None:
    """Show the camera something else; it opens the file when it is started."""
    switch = page.locator(".tl-cam-tools").get_by_role("button", name="Turn the camera")
    switch.click()
    show()
    page.wait_for_timeout(300)
    switch.click()
    _wait_for_camera(page)


def _wait_for_camera(page: Page) -> None:
    page.wait_for_function(
        "() => { const video = document.querySelector('.tl-cam video');"
        " return video && video.readyState >= 2 && video.videoWidth > 0; }"
    )
    page.wait_for_timeout(500)


def _watch_training(page: Page, recorder: _Recorder) -> None:
    """The training, told in few frames: some of its beginning, then some evenly from the rest."""
    taken = _Recorder(page)
    over = page.locator(".st-key-camera_results button")
    failed = page.locator(".st-key-live_again")
    now = page.locator(".st-key-live_now")
    now.or_(over).first.wait_for()
    if now.count():
        now.evaluate("one => one.scrollIntoView({ block: 'center' })")
    while not over.count():
        if failed.count():
            sys.exit(page.locator('[data-testid="stAlert"]').first.inner_text())
        taken.take()
        page.wait_for_timeout(250)
    step = max(1, math.ceil(len(taken.frames) / TRAINING_FRAMES))
    recorder.frames += [(image, 260) for image, _ms in taken.frames[::step]]


def _wait_for_answer(page: Page, name: str) -> None:
    page.locator(".tl-live-answer", has_text=name).wait_for()


def _write(frames: list[tuple[Image.Image, int]], target: Path) -> None:
    """Write the frames as an animated WebP, as good as fits."""
    images, times = [image for image, _ms in frames], [ms for _image, ms in frames]
    for quality in (82, 72, 60, 48, 36, 24):
        content = io.BytesIO()
        images[0].save(
            content, "WEBP", save_all=True, append_images=images[1:], duration=times, loop=0,
            quality=quality, method=4, minimize_size=True,
        )  # fmt: skip
        if content.tell() <= MOST_BYTES:
            break
    else:
        sys.exit(f"the picture is larger than {MOST_BYTES:,} bytes")
    target.write_bytes(content.getvalue())
    print(f"{target}: {len(frames)} frames, {sum(times) / 1000:.0f} s, {content.tell():,} bytes")


# --- the films -------------------------------------------------------------------------------------

_FINE = 2
"""Things are drawn so many times as large, so that their edges are soft."""


def _film(draw: Callable[[ImageDraw.ImageDraw, float], None]) -> bytes:
    """A thing on a table that moves about, turns, comes near and goes, as MJPEG."""
    table = _table()
    content = io.BytesIO()
    for number in range(FILM_FRAMES):
        angle = 2 * math.pi * number / FILM_FRAMES
        side = 300 * _FINE
        layer = Image.new("RGBA", (side, side))
        draw(ImageDraw.Draw(layer), side)
        size = round(200 + 36 * math.sin(2 * angle))
        layer = layer.rotate(16 * math.sin(angle), Image.Resampling.BICUBIC)
        layer = layer.resize((size, size), Image.Resampling.LANCZOS)
        left = round(FILM_SIDE[0] / 2 + 62 * math.cos(angle) - size / 2)
        top = round(FILM_SIDE[1] / 2 + 30 * math.sin(3 * angle) - size / 2)
        picture = table.copy()
        shadow = Image.new("RGBA", layer.size, (30, 20, 10, 110))
        shadow.putalpha(layer.getchannel("A").point(lambda value: value * 110 // 255))
        shadow = shadow.filter(ImageFilter.GaussianBlur(7))
        picture.paste(shadow, (left + 10, top + 14), shadow)
        picture.paste(layer, (left, top), layer)
        picture.convert("RGB").save(content, "JPEG", quality=90)
    return content.getvalue()


def _table() -> Image.Image:
    """Boards, lighter at the upper left."""
    table = Image.new("RGB", FILM_SIDE)
    draw = ImageDraw.Draw(table)
    width, height = FILM_SIDE
    for y in range(height):
        board = y // 72
        shade = 1.04 - 0.22 * y / height + (-0.03, 0.02, -0.01, 0.03, 0.0)[board % 5]
        color = tuple(round(part * shade) for part in (205, 176, 138))
        draw.line((0, y, width, y), fill=color)
    for y in range(72, height, 72):
        draw.line((0, y, width, y), fill=(150, 122, 92), width=2)
    return table


def _draw_cup(draw: ImageDraw.ImageDraw, side: float) -> None:
    unit = side / 100
    draw.ellipse(
        (60 * unit, 34 * unit, 92 * unit, 72 * unit), outline=(36, 96, 140), width=round(7 * unit)
    )
    draw.rounded_rectangle(
        (16 * unit, 22 * unit, 74 * unit, 88 * unit), 9 * unit, fill=(52, 122, 172)
    )
    draw.rectangle((16 * unit, 22 * unit, 30 * unit, 80 * unit), fill=(86, 152, 198))
    draw.rectangle((16 * unit, 46 * unit, 74 * unit, 58 * unit), fill=(240, 240, 232))
    draw.ellipse((16 * unit, 13 * unit, 74 * unit, 31 * unit), fill=(226, 232, 236))
    draw.ellipse((21 * unit, 16 * unit, 69 * unit, 29 * unit), fill=(88, 56, 36))


def _draw_ball(draw: ImageDraw.ImageDraw, side: float) -> None:
    unit = side / 100
    draw.ellipse((12 * unit, 12 * unit, 88 * unit, 88 * unit), fill=(214, 72, 48))
    draw.pieslice((12 * unit, 12 * unit, 88 * unit, 88 * unit), 200, 260, fill=(246, 206, 84))
    draw.pieslice((12 * unit, 12 * unit, 88 * unit, 88 * unit), 320, 380, fill=(246, 206, 84))
    draw.pieslice((12 * unit, 12 * unit, 88 * unit, 88 * unit), 80, 140, fill=(246, 206, 84))
    draw.ellipse((40 * unit, 40 * unit, 60 * unit, 60 * unit), fill=(250, 244, 230))
    draw.ellipse((26 * unit, 20 * unit, 44 * unit, 34 * unit), fill=(250, 200, 186))


if __name__ == "__main__":
    main()

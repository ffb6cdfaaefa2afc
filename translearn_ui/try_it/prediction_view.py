"""What a model says of photos: asking, and showing one answer or many.

Owns: the task of a batch, the sentence, bars and table of answers, the CSV of a batch.
Leaves to others: the prediction itself (`translearn_core.prediction.predict`).
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from PIL import Image

from translearn_core import datasets, palette
from translearn_core.config import load_configuration
from translearn_core.csv_tables import csv_text, probability_column, task_column
from translearn_core.errors import PhotoError
from translearn_core.formatting import AnswerWords, answer_words
from translearn_core.i18n import _, ngettext
from translearn_core.imaging import decode
from translearn_core.prediction import predict
from translearn_core.prediction.predict import Prediction
from translearn_core.runs import Run
from translearn_ui.components import (
    background_tasks,
    charts,
    class_marks,
    explanation_view,
    format,
    tables,
    uploads,
)
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

WHY_KEY = "answer_why"
"""Whether the reasons are shown with the answer."""
_MOST_PICTURES = 48
_PICTURE_SIDE = 256
_MOST_KEPT_BYTES = 64 * 2**20
"""Of the files of a batch."""
_Handed = tuple[str, int, Callable[[], bytes]]
"""A file of a batch: its name, its bytes and what reads it."""


@dataclass(frozen=True)
class Answer:
    """A prediction and, for the first photos of a batch, a small picture (JPEG) to show with it.

    `content` is the file itself, kept where the answer may have to be explained or the photo be put
    somewhere; never of a file that cannot be read.
    """

    prediction: Prediction
    picture: bytes | None
    content: bytes | None = None

    def is_sure(self, sure_from: float) -> bool:
        """Whether the likeliest class is likely enough to be named, and the photo like any known."""
        return (self.prediction.confidence or 0.0) >= sure_from and not self.prediction.unlike


def ask(run: Run, photos: Sequence[tuple[str, bytes]]) -> list[Answer]:
    """Ask a run's model about a few photos."""
    return [
        Answer(prediction, _picture(content, 1024, run), content)
        if not prediction.error
        else Answer(prediction, None)
        for prediction, (_name, content) in zip(predict.predict(run, photos), photos, strict=True)
    ]


def refuse_large(name: str, n_bytes: int) -> Answer | None:
    """The answer to a file that is too large to be read as a photo; None where it is not."""
    try:
        decode.check_length(n_bytes, load_configuration().limits)
    except PhotoError as error:
        return Answer(predict.Prediction(file=name, error=error.message), None)
    return None


def start(run: Run, uploads: Sequence[UploadedFile]) -> background_tasks.Task:
    """Start asking about many uploaded photos; the task's result is a list of answers."""
    waiting = list(uploads)[::-1]
    total = len(waiting)

    def contents() -> Iterator[_Handed]:
        while waiting:
            upload = waiting.pop()
            yield upload.name, upload.size, upload.getvalue
            upload.close()

    title = ngettext("Looking at {n:,} photo", "Looking at {n:,} photos", total).format(n=total)
    return background_tasks.start(title, lambda task: _ask_many(run, contents(), total, task))


def start_zip(run: Run, upload: UploadedFile) -> background_tasks.Task:
    """Start asking about the photos in an uploaded zip; the result is a list of answers."""

    def work(task: background_tasks.Task) -> list[Answer]:
        with uploads.on_disk(upload) as path, datasets.unpacked(path) as folder:
            paths = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            photos = (
                (path.relative_to(folder).as_posix(), path.stat().st_size, path.read_bytes)
                for path in paths
            )
            return _ask_many(run, photos, len(paths), task)

    return background_tasks.start(_("Looking at {name}").format(name=upload.name), work)


def _ask_many(
    run: Run, photos: Iterator[_Handed], total: int, task: background_tasks.Task
) -> list[Answer]:
    task.report(0, total, _("Opening the model"))
    found: list[Answer | None] = []
    asked: deque[tuple[int, bytes | None, bytes | None]] = deque()
    room = _MOST_KEPT_BYTES

    def passing() -> Iterator[tuple[str, bytes]]:
        nonlocal room
        for name, n_bytes, read in photos:
            if task.cancelled:
                return
            found.append(refuse_large(name, n_bytes))
            if found[-1] is not None:
                continue
            content = read()
            kept = content if len(content) <= room else None
            room -= len(kept or b"")
            few = len(found) <= _MOST_PICTURES
            picture = _picture(content, _PICTURE_SIDE, run) if few else None
            asked.append((len(found) - 1, picture, kept))
            yield name, content

    for prediction in predict.predict(run, passing()):
        place, picture, kept = asked.popleft()
        if prediction.error:
            room, kept = room + len(kept or b""), None
        found[place] = Answer(prediction, picture, kept)
        task.report(place + 1, total, _("Photo"))
    return [answer for answer in found if answer is not None]


def _picture(content: bytes, side: int, run: Run) -> bytes | None:
    """A JPEG of at most `side` pixels a side, as the one decode sees the photo; None if unreadable."""
    try:
        how = predict.open_predictor(run).reading
        image = Image.fromarray(datasets.decode_photo(content, size=None, how=how).image)
    except PhotoError:
        return None
    image.thumbnail((side, side))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=85)
    return target.getvalue()


def words(answer: Answer, *, sure_from: float) -> AnswerWords:
    """The answer in words, as plain text."""
    prediction = answer.prediction
    return answer_words(
        prediction.label or "",
        format.certainty(prediction.confidence or 0.0),
        is_sure=answer.is_sure(sure_from),
        is_unlike=bool(prediction.unlike),
    )


def show_answer(answer: Answer, *, sure_from: float, run: Run) -> None:
    """The answer to one photo, first and large; where it cannot be read, why."""
    prediction = answer.prediction
    if prediction.error:
        st.warning(
            f"**{frame.plain(prediction.file)}**: {frame.plain(prediction.error)}",
            icon=":material/broken_image:",
        )
        return
    _show_hero(answer, sure_from, run)
    if prediction.other_shape:
        st.markdown(
            _(
                "This photo is much wider or taller than the photos I learned from, so my answer "
                "is worth less. It is best to cut the photo to their shape."
            )
        )


def show_shares(answer: Answer, *, sure_from: float, run: Run) -> None:
    """One photo with the likeliest classes as bars, and what is said of it in further tasks."""
    prediction = answer.prediction
    is_explained = answer.content is not None and st.session_state.get(WHY_KEY)
    with st.container(key="answer_body"):
        if answer.picture and not is_explained:
            with st.container(key="answer_photo", width="content"):
                st.image(answer.picture, alt=_("The photo {file}").format(file=prediction.file))
        probabilities = prediction.probabilities or {}
        colors = class_marks.colors(class_marks.of_run(run))
        with st.container(key="answer_shares"):
            charts.show(
                charts.drawing(
                    charts.probability_bars, probabilities, colors=colors, most=5, room=0.34
                ),
                key="answer_bars",
                alt=_("How likely each class is: {all}").format(
                    all=", ".join(
                        f"{name} {format.certainty(share)}"
                        for name, share in list(probabilities.items())[:5]
                    )
                ),
            )
    _show_tasks(prediction, sure_from=sure_from)


def show_why(answer: Answer, *, run: Run) -> None:
    """The reasons for the answer to one photo, on demand."""
    if answer.content is None:
        return
    if st.toggle(
        _("Show why"),
        key=WHY_KEY,
        help=_("Where it looked, and which photos it knows like this"),
    ):
        explanation_view.show(
            run, answer.content, key="answer_explain", name=answer.prediction.file
        )


def _show_hero(answer: Answer, sure_from: float, run: Run) -> None:
    """The answer as the largest thing on the page, with the colour of its class."""
    said = words(answer, sure_from=sure_from)
    kind, dot = "unsure", ""
    if answer.is_sure(sure_from) and answer.prediction.label in run.labels:
        kind = "sure"
        color = class_marks.colors(class_marks.of_run(run))[answer.prediction.label]
        dot = f'<i style="background:{color}"></i>'
    st.html(
        f'<h2 class="tl-hero {kind}">{dot}<b>{escape(said.head)}</b> '
        f"<span>{escape(said.rest.strip('()') if kind == 'sure' else said.rest)}</span></h2>"
    )


def table(answers: Sequence[Answer], *, sure_from: float) -> pd.DataFrame:
    """One row a photo: file, answer, probability, sure, unlike, error, other_shape, and a column for
    each class."""
    rows = []
    for answer in answers:
        prediction = answer.prediction
        row = {
            "file": prediction.file,
            "answer": prediction.label or "",
            "probability": None
            if prediction.confidence is None
            else round(prediction.confidence, 4),
            "sure": "" if prediction.error else _yes_or_no(answer.is_sure(sure_from)),
            "unlike": "" if prediction.unlike is None else _yes_or_no(prediction.unlike),
            "error": prediction.error or "",
            "other_shape": ""
            if prediction.other_shape is None
            else _yes_or_no(prediction.other_shape),
        }
        for task, shares in (prediction.tasks or {}).items():
            label, share = next(iter(shares.items()))
            sure = share >= sure_from and not prediction.unlike
            column = task_column(task, row)  # `answer` and the like are taken
            row |= {column: label, f"{column}: sure": _yes_or_no(sure)}
        classes = sorted(prediction.probabilities or {})
        rows.append(
            row
            | {
                probability_column(name): round((prediction.probabilities or {})[name], 4)
                for name in classes
            }
        )
    return pd.DataFrame(rows)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def show_many(answers: Sequence[Answer], *, sure_from: float, name: str) -> None:
    """Show a batch: what was found how often, pictures, the table, and its CSV."""
    found = table(answers, sure_from=sure_from)
    st.markdown(_counts_sentence(answers, sure_from))
    st.download_button(
        _("Download as CSV"),
        csv_text(list(found.columns), found.itertuples(index=False, name=None)).encode(),
        file_name=f"answers-{name}.csv",
        mime="text/csv",
        key="answers_csv",
        icon=":material/download:",
        on_click="ignore",
    )
    pictures, rows = st.tabs([_("Pictures"), _("Table")], key="answers_view")
    with rows:
        st.dataframe(
            tables.fit(
                found[[name for name in found.columns if not name.startswith("p(")]].assign(
                    probability=[
                        ""
                        if answer.prediction.error
                        else format.certainty(answer.prediction.confidence or 0.0)
                        for answer in answers
                    ]
                )
            ),
            hide_index=True,
            column_config={
                "file": _("File"),
                "answer": _("Answer"),
                "probability": _("How sure"),
                "sure": _("Sure"),
                "unlike": _("Never seen anything like it"),
                "error": _("Could not be read"),
                "other_shape": _("Of another shape"),
            },
            key="answers_table",
            alt=_("The answer for each photo"),
        )
    with pictures:
        _show_pictures(answers, sure_from)


def _show_pictures(answers: Sequence[Answer], sure_from: float) -> None:
    with st.container(key="gallery_answers"), st.grid(min_column_width=130, gap="xsmall") as grid:
        for answer in answers:
            if answer.picture is None:
                continue
            prediction = answer.prediction
            share = format.certainty(prediction.confidence or 0.0)
            sure = answer.is_sure(sure_from)
            label = frame.plain(prediction.label or "")
            with grid.cell():
                st.image(
                    answer.picture,
                    alt=_("{file}, taken for {name}").format(
                        file=prediction.file, name=prediction.label
                    ),
                    caption=_picture_caption(label, share, sure, bool(prediction.unlike)),
                    width="stretch",
                )
    if len(answers) > _MOST_PICTURES:
        st.caption(
            _("The first {n} photos are shown; all of them are in the table.").format(
                n=_MOST_PICTURES
            )
        )


def _picture_caption(label: str, share: str, sure: bool, unlike: bool) -> str:
    if unlike:
        return _("Never seen anything like it. Closest: {name} ({share})").format(
            name=label, share=share
        )
    if sure:
        return f"**{label}** ({share})"
    return _("Not sure. Closest: {name} ({share})").format(name=label, share=share)


def _counts_sentence(answers: Sequence[Answer], sure_from: float) -> str:
    names = [a.prediction.label for a in answers if a.prediction.label and a.is_sure(sure_from)]
    counts = pd.Series(names, dtype=object).value_counts()
    parts = [f"**{frame.plain(str(name))}** {n:,}" for name, n in counts.head(8).items()]
    unlike = sum(1 for a in answers if a.prediction.unlike)
    unsure = sum(1 for a in answers if a.prediction.label and not a.is_sure(sure_from)) - unlike
    other_shape = sum(1 for a in answers if a.prediction.other_shape)
    broken = sum(1 for a in answers if a.prediction.error)
    if unsure:
        parts.append(_("not sure {n:,}").format(n=unsure))
    if unlike:
        parts.append(_("never seen anything like it {n:,}").format(n=unlike))
    if other_shape:
        parts.append(_("of another shape {n:,}").format(n=other_shape))
    if broken:
        parts.append(_("unreadable {n:,}").format(n=broken))
    return " · ".join(parts)


def _show_tasks(prediction: Prediction, *, sure_from: float) -> None:
    """What is said of one photo in each further task."""
    for number, (task, shares) in enumerate((prediction.tasks or {}).items()):
        best, share = next(iter(shares.items()))
        is_sure = share >= sure_from and not prediction.unlike
        said = answer_words(best, format.certainty(share), is_sure=is_sure, is_unlike=False)
        st.markdown(f"{frame.plain(task)}: **{frame.plain(said.head)}** {frame.plain(said.rest)}")
        colors = {name: palette.class_color(index) for index, name in enumerate(sorted(shares))}
        charts.show(
            charts.drawing(charts.probability_bars, shares, colors=colors, most=4),
            key=f"answer_task_{number}",
            alt=", ".join(
                f"{name} {format.certainty(value)}" for name, value in list(shares.items())[:4]
            ),
        )

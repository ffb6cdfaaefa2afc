"""Step 3: how good is it? One sentence, then where it errs, then how it got there.

Every figure is read from the run folder; nothing is computed here but what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.config import setting_fields
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.metrics import wilson_interval
from translearn_core.runs import ENDED_STATES, Run, list_runs
from translearn_core.texts import _, ngettext
from translearn_ui.components import (
    background_tasks,
    charts,
    explanation_view,
    gallery,
    run_actions,
    run_progress,
    task_heads_view,
    techniques_view,
)
from translearn_ui.components.paging import page_of
from translearn_ui.results import attack_view, calibration_view
from translearn_ui.shell import frame
from translearn_ui.training import live, settings_form

PER_PAGE = 12

STYLE = """
<style>
.tl-verdict {font-size: clamp(1.5rem, 3.2vw, 2.1rem); line-height: 1.2; font-weight: 650;
  letter-spacing: -.015em; margin: .2rem 0 .6rem;
  text-wrap: balance;}
.tl-scale {position: relative; height: 3.6rem; margin: .6rem 0 .3rem; max-width: 46rem;}
.tl-scale .rail {position: absolute; top: 1.55rem; left: 0; right: 0; height: .5rem;
  border-radius: 1rem; background: color-mix(in srgb, currentColor 12%, transparent);}
.tl-scale .band {position: absolute; top: 1.3rem; height: 1rem; border-radius: .4rem;
  background: color-mix(in srgb, #2f9e87 35%, transparent);}
.tl-scale .dot {position: absolute; top: 1.2rem; width: .34rem; height: 1.2rem; margin-left: -.17rem;
  border-radius: .2rem; background: #2f9e87;}
.tl-scale .guess {position: absolute; top: 1.3rem; width: 0; height: 1rem;
  border-left: 2px dashed currentColor; opacity: .7;}
.tl-scale small {position: absolute; font-size: .8rem; transform: translateX(-50%);
  white-space: nowrap; opacity: .8;}
.tl-scale small.up {top: -.1rem; font-weight: 650; opacity: 1;}
.tl-scale small.down {top: 2.5rem;}
.tl-classes {width: 100%; border-collapse: collapse; font-size: .95rem;}
.tl-classes td, .tl-classes th {padding: .42rem .6rem .42rem 0; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent);}
.tl-classes th {font-weight: 500; opacity: .7; font-size: .84rem;}
.tl-classes .n {font-variant-numeric: tabular-nums; font-weight: 650; white-space: nowrap;}
.tl-classes .span {font-size: .8rem; opacity: .65; white-space: nowrap;
  font-variant-numeric: tabular-nums;}
.tl-classes .bar {height: .4rem; border-radius: .3rem; margin-top: .25rem; min-width: 5rem;
  position: relative; background: color-mix(in srgb, currentColor 12%, transparent);}
.tl-classes .bar i {display: block; height: 100%; border-radius: .3rem;}
.tl-classes .bar i.could {position: absolute; background: color-mix(in srgb, currentColor 32%, transparent);
  height: .14rem; top: .13rem;}
.tl-classes .what {opacity: .75; font-size: .87rem; width: 45%;}
.tl-classes .share {width: 18%;}
.tl-classes i.dot {width: .65rem; height: .65rem; border-radius: 50%; display: inline-block;
  margin-right: .45rem;}
@media (max-width: 640px) {.tl-classes .what {display: none;}}
</style>
"""


def show_result(run: Run) -> None:
    """Everything about one run with a result."""
    metrics = run.metrics
    st.html(STYLE)
    show_verdict(run, metrics)
    for text in metrics.get("warnings") or []:
        st.warning(frame.plain(text), icon=":material/info:")
    show_next(run)
    techniques_view.show(run.config.settings, metrics)
    attack_view.show(run, metrics)
    task_heads_view.show_results(metrics)
    predictions = read_predictions(str(run.folder), run.model_path.stat().st_mtime_ns)
    show_matrix(run, metrics, predictions)
    show_classes(metrics)
    show_wrong_photos(run, predictions)
    calibration_view.show_threshold(run, predictions)
    calibration_view.show_reliability(metrics, predictions)
    calibration_view.show_unlike(metrics)
    show_learning(run, metrics)
    show_settings(run, metrics)


def show_verdict(run: Run, metrics: dict[str, Any]) -> None:
    """The sentence, and the same as a picture: share, interval, guessing."""
    sentence, rest = live.result_sentence(metrics)
    moved = techniques_view.tested_elsewhere(metrics)
    scale = "" if moved else scale_html(metrics)
    st.html(f'<h1 class="tl-verdict">{sentence}</h1>{scale}')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(rest)
        if not moved:
            show_why(metrics)
    if run.state.state == "stopped":
        st.caption(_("This training was stopped early; the best so far was kept."))


def show_why(metrics: dict[str, Any]) -> None:
    """What the interval of the result means."""
    with st.popover(_("why?"), type="tertiary", key="why_interval"):
        st.markdown(
            _(
                "These photos were kept aside from the start: nothing was learned or chosen by "
                "them, so the figure is honest (test set). But they are only {n}; with other "
                "{n} photos it would come out a little differently. The span says how much "
                "(95 % confidence interval, Wilson)."
            ).format(n=metrics["n_test"])
        )


def scale_html(metrics: dict[str, Any]) -> str:
    """A line from 0 to 100 % with the result, its interval and what guessing would get."""
    low, high = (100 * float(end) for end in metrics["test_interval"])
    share, guess = 100 * metrics["test_accuracy"], 100 * metrics["majority_accuracy"]
    guessing = _("guessing: {share}").format(share=charts.percent(guess / 100))
    label = f"{low:.0f} – {high:.0f} %"
    middle = min(94.0, (low + high) / 2)
    return (
        f'<div class="tl-scale" aria-hidden="true"><div class="rail"></div>'
        f'<div class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></div>'
        f'<div class="guess" style="left:{guess:.1f}%"></div>'
        f'<div class="dot" style="left:{share:.1f}%"></div>'
        f'<small class="up" style="left:{middle:.1f}%">{label}</small>'
        f'<small class="down" style="left:{max(9.0, guess):.1f}%">{guessing}</small></div>'
    )


def show_next(run: Run) -> None:
    """The next step, and the way to train once more."""
    with st.container(horizontal=True, key="results_next"):
        if st.button(
            _("Try it on new photos"),
            key="results_try",
            type="primary",
            icon=":material/photo_camera:",
        ):
            frame.open_run(run)
            frame.go("try_it")
        if st.button(
            _("Train again"),
            key="results_train",
            icon=":material/replay:",
            help=_("With the same photos and settings filled in, to change what you like."),
        ):
            run_actions.set_up_like(run)
        if st.button(
            _("Search for better settings"), key="results_search", icon=":material/manage_search:"
        ):
            frame.go("search")
        if run_actions.show_menu(run, key="results_menu", leave_out=("settings",)) == "delete":
            run_actions.confirm_delete(run)


@st.cache_data(max_entries=8, show_spinner=False)
def read_predictions(folder: str, changed_ns: int) -> pd.DataFrame:
    """The answers on the test photos of a run (`changed_ns` only tells one state from another)."""
    return pd.read_parquet(f"{folder}/predictions.parquet")


# --- where it errs ---------------------------------------------------------------------------


def show_matrix(run: Run, metrics: dict[str, Any], predictions: pd.DataFrame) -> None:
    """Truth against answer; a field that is clicked opens its photos."""
    names, counts = list(metrics["classes"]), metrics["confusion"]
    frame.heading(
        _("What is taken for what (confusion matrix)"),
        _(
            "Each row holds the photos of one class; the columns say what the model "
            "answered. Right answers stand on the diagonal, in green and bold; what stands "
            "beside it is a mistake. The shade is the share of the row's photos."
        ),
        name="matrix",
        ask=_("how to read it"),
    )
    if techniques_view.tested_elsewhere(metrics):
        st.caption(_("From here on: the test photos, which are of the old place."))
    sentence = charts.confusion_sentence(counts, names)
    st.markdown(frame.plain(sentence))
    figure = charts.confusion_matrix(counts, names)
    alt = _("Confusion matrix.") + " " + sentence
    charts.show(figure, key="results_matrix", alt=alt, on_select=take_cell)
    cell = st.session_state.get("results_cell")
    if cell is None or cell[0] != run.id:
        st.caption(_("Click a field to see its photos."))
        return
    show_cell(run, predictions, *cell[1:])


def take_cell() -> None:
    """Remember the field that was clicked."""
    points = st.session_state["results_matrix"]["selection"]["points"]
    run = frame.current_run()
    if not points or run is None:
        return
    truth, answer = (str(name) for name in points[0]["customdata"][:2])
    st.session_state["results_cell"] = (run.id, truth, answer)
    st.session_state.pop("results_cell_page", None)


def show_cell(run: Run, predictions: pd.DataFrame, truth: str, answer: str) -> None:
    """The photos of one field of the matrix."""
    rows = predictions[(predictions["truth"] == truth) & (predictions["label"] == answer)]
    rows = rows.sort_values("confidence", ascending=truth == answer)
    sentence = (
        ngettext("{n} photo of {truth}, found", "{n} photos of {truth}, found", len(rows))
        if truth == answer
        else ngettext(
            "{n} photo of {truth}, taken for {answer}",
            "{n} photos of {truth}, taken for {answer}",
            len(rows),
        )
    )
    with st.container(key="results_cell_box", border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            text = sentence.format(
                n=len(rows), truth=frame.plain(truth), answer=frame.plain(answer)
            )
            st.markdown(f"**{text}**", width="stretch")
            st.button(
                _("Close"),
                key="results_cell_close",
                type="tertiary",
                icon=":material/close:",
                on_click=lambda: st.session_state.pop("results_cell", None),
            )
        show_photos(run, rows, key="results_cell")


def show_classes(metrics: dict[str, Any]) -> None:
    """Each class in words and numbers, the weakest first."""
    st.subheader(_("Class by class"), anchor=False)
    order = {name: index for index, name in enumerate(metrics["classes"])}
    weakest_first = sorted(metrics["per_class"], key=lambda row: row.get("recall") or 0.0)
    rows = "".join(class_row_html(row, order[row["name"]]) for row in weakest_first)
    head = "".join(
        f"<th>{title}</th>"
        for title in (_("class"), _("found (recall)"), _("right when said (precision)"))
    )
    st.html(
        f'<table class="tl-classes"><thead><tr>{head}<th class="what"></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    st.caption(_("Small figures and thin lines: 95 % intervals, in %. Few photos, wide intervals."))


def class_row_html(row: dict[str, Any], index: int) -> str:
    """One class: its name, recall and precision with intervals and bars, and a sentence."""
    color = charts.class_color(index)
    cells = ""
    for share, of in (
        (row.get("recall"), row["n_test"]),
        (row.get("precision"), row["answered"]),
    ):
        if share is None:
            cells += f"<td>{_('never said')}</td>"
            continue
        low, high = (100 * end for end in wilson_interval(row["correct"], of))
        cells += (
            f'<td class="share"><span class="n">{charts.percent(share)}</span> '
            f'<span class="span">{low:.0f} – {high:.0f}</span><div class="bar">'
            f'<i class="could" style="left:{low:.0f}%;width:{high - low:.0f}%"></i>'
            f'<i style="width:{100 * share:.0f}%;background:{color}"></i></div></td>'
        )
    return (
        f'<tr><td><i class="dot" style="background:{color}"></i>{escape(str(row["name"]))}</td>{cells}'
        f'<td class="what">{escape(class_sentence(row))}</td></tr>'
    )


def class_sentence(row: dict[str, Any]) -> str:
    """A class's figures in words."""
    n = int(row["n_test"])
    if row.get("recall") is None:
        return _("No photo of it was in the test.")
    found = round(row["recall"] * n)
    sentence = ngettext(
        "{found} of its {n} photo was found", "{found} of its {n} photos were found", n
    ).format(found=found, n=n)
    if row.get("precision") is None:
        return sentence + "; " + _("it was never answered.")
    said = round(found / row["precision"]) if row["precision"] else None
    if said is None:
        return sentence + "; " + _("it was answered, but never rightly.")
    return (
        sentence
        + "; "
        + ngettext(
            "it was answered {n} time, rightly {found}.",
            "it was answered {n} times, rightly {found}.",
            said,
        ).format(n=said, found=found)
    )


def show_wrong_photos(run: Run, predictions: pd.DataFrame) -> None:
    """The photos it got wrong, the surest mistake first; right ones on request."""
    st.subheader(_("Look at the photos"), anchor=False)
    wrong = predictions[~predictions["correct"].astype(bool)]
    right = predictions[predictions["correct"].astype(bool)]
    st.session_state.setdefault("results_which", "wrong")
    names = {
        "wrong": _("Wrong ({n})").format(n=len(wrong)),
        "right": _("Right ({n})").format(n=len(right)),
    }
    classes = sorted({*predictions["truth"], *predictions["label"]})
    with st.container(horizontal=True, vertical_alignment="bottom", key="results_filter"):
        which = st.segmented_control(
            _("Which photos"),
            list(names),
            format_func=names.__getitem__,
            key="results_which",
            required=True,
            label_visibility="collapsed",
        )
        truth = st.selectbox(
            _("Really"),
            [None, *classes],
            format_func=lambda name: _("really: any class") if name is None else name,
            key="results_truth",
            label_visibility="collapsed",
            width=210,
        )
        answer = st.selectbox(
            _("Answered"),
            [None, *classes],
            format_func=lambda name: _("answered: any class") if name is None else name,
            key="results_answer",
            label_visibility="collapsed",
            width=210,
        )
    rows = wrong if which == "wrong" else right
    rows = rows[rows["truth"] == truth] if truth is not None else rows
    rows = rows[rows["label"] == answer] if answer is not None else rows
    rows = rows.sort_values("confidence", ascending=which == "right")
    if rows.empty:
        st.info(_("There are no such photos."), icon=":material/check_circle:")
        return
    st.caption(
        _("The surest mistakes come first: often a photo in the wrong folder.")
        if which == "wrong"
        else _("The least sure ones come first.")
    )
    show_photos(run, rows, key="results")


def show_photos(run: Run, rows: pd.DataFrame, *, key: str) -> None:
    """Photos with truth, answer and confidence, a page at a time; each can be explained."""
    try:
        dataset = datasets.open_dataset(run.config.dataset)
    except TransLearnError as error:
        st.info(_("The photos are no longer there: {why}").format(why=frame.plain(error.message)))
        return
    part, place = page_of(len(rows), PER_PAGE, key=f"{key}_page")
    shown = rows.iloc[part]
    with place, st.grid(min_column_width=150, gap="small") as grid:
        for row in shown.astype(object).to_dict("records"):
            with grid.cell():
                show_photo(run, dataset, row, key=key)


def show_photo(run: Run, dataset: Dataset, row: Mapping[Any, Any], *, key: str) -> None:
    """One photo with what it is and what was answered, and a way to ask why."""
    try:
        gallery.show_photo(
            dataset.thumbnail(row["path"]), file=row["file"], class_name=row["truth"]
        )
    except (TransLearnError, OSError):
        st.caption(_("{file} can no longer be read.").format(file=frame.plain(row["file"])))
    sure = charts.percent(row["confidence"])
    if row["correct"]:
        st.caption(f":green[✓] **{frame.plain(row['truth'])}** · {sure}")
    else:
        st.caption(
            _(":red[✗] said **{label}** ({sure})  \nreally **{truth}**").format(
                label=frame.plain(row["label"]), sure=sure, truth=frame.plain(row["truth"])
            )
        )
    if st.button(
        _("Why?"),
        key=f"{key}_why_{row['path']}",
        type="tertiary",
        icon=":material/center_focus_strong:",
    ):
        title = (
            _("Why {label}?") if row["correct"] else _("Why {label}? It is really {truth}")
        ).format(label=frame.plain(row["label"]), truth=frame.plain(row["truth"]))
        path = dataset.photo_path(row["path"])
        explanation_view.offer_dialog(run, path, title=title, name=row["file"])


# --- how it got there ------------------------------------------------------------------------


def show_learning(run: Run, metrics: dict[str, Any]) -> None:
    """The curves and what they say about learning by heart."""
    told = run_progress.story_of(run)
    if not told.epochs:
        return
    frame.heading(
        _("How it learned"),
        _(
            "Dotted: the photos it learns from. Solid: photos kept aside while it learns "
            "(validation). When dotted goes on getting better and solid does not, it is "
            "learning by heart (overfitting). The star marks the round that was kept."
        ),
        name="curves",
        ask=_("how to read it"),
    )
    live.show_curves(told, key="results")


def show_settings(run: Run, metrics: dict[str, Any]) -> None:
    """What the run was made with: facts, and every setting with a mark where it was changed."""
    with st.expander(_("Settings and facts of this training"), key="results_settings"):
        seconds = metrics.get("seconds") or {}
        facts = {
            _("Backbone"): live.describe(run.config.settings),
            _("Layers frozen"): _("{n} of {all}").format(
                n=metrics["frozen_layers"], all=metrics["total_layers"]
            ),
            _("Trainable weights"): f"{metrics['trainable_weights']:,}",
            _("Photos"): _("{train:,} to learn from, {val:,} validation, {test:,} test").format(
                train=metrics["n_train"], val=metrics["n_val"], test=metrics["n_test"]
            ),
            _("Rounds (epochs)"): str(metrics["epochs_run"]),
            _("Time"): background_tasks.duration(float(seconds.get("total") or 0.0)),
            _("Device"): str(metrics.get("device", "")),
            _("Saved model against the measured one"): _(
                "probabilities differ by at most {difference:.2%}"
            ).format(difference=metrics.get("parity_max_diff") or 0.0),
        }
        changed = run.config.settings.changed()
        for name, value in run.config.settings.model_dump().items():
            if name in ("backbone", "freeze"):
                continue
            mark = " ●" if name in changed else ""
            title = _(setting_fields()[name].title or name)
            facts[title + mark] = settings_form.words_for(name, value) or "–"
        table = pd.DataFrame({"": list(facts), " ": list(facts.values())})
        st.dataframe(
            table,
            hide_index=True,
            key="results_facts",
            height="content",
            alt=_("Settings and facts of this training"),
        )
        st.caption(_("● differs from the default."))


# --- which run -------------------------------------------------------------------------------


def show_runs(here: Run) -> None:
    """The runs, newest first, to switch between."""
    runs = [run for run in list_runs() if run.state.state in ENDED_STATES and run.has_result]
    if len(runs) < 2:
        return
    labels = {run.id: run_label(run) for run in runs}
    if here.id in labels and st.session_state.get("results_run") != here.id:
        st.session_state["results_run"] = here.id

    def switch() -> None:
        chosen = st.session_state["results_run"]
        frame.open_run(next(run for run in runs if run.id == chosen))

    st.selectbox(
        _("Which training"),
        list(labels),
        format_func=labels.__getitem__,
        key="results_run",
        on_change=switch,
    )


def run_label(run: Run) -> str:
    """A run in one line: when, on what, with what, how good."""
    when = datetime.fromtimestamp(run.config.created).strftime("%d.%m. %H:%M")
    share = charts.percent(techniques_view.headline_share(run.metrics))
    name = run.config.name or run.config.dataset_name
    return f"{share} · {name} · {live.describe(run.config.settings)} · {when}"


frame.page("results")
run = frame.current_run()
if run is not None and run.has_result and run.state.state in ENDED_STATES:
    show_runs(run)
    show_result(run)
elif run is not None:
    frame.empty_state(
        title=_("No result yet"),
        text=_("This training has not come to an end with a result."),
        icon=":material/hourglass_top:",
        key="results_wait",
        button=_("See how it is going"),
        page="train",
    )
else:
    frame.empty_state(
        title=_("No result yet"),
        text=_("Train once; here you then see how good it is and where it errs."),
        icon=":material/insights:",
        key="results",
        button=_("Train"),
        page="train",
    )

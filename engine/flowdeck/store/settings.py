"""Settings: FLOWDECK_* environment, then config.toml of the home, then the default."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, fields, replace
from typing import Final

from flowdeck.rules.exceptions import UsageError
from flowdeck.rules.log_levels import LOG_LEVELS
from flowdeck.store.home import Home


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set; each field is `FLOWDECK_<NAME>` in the environment and `name` in config.toml."""

    logging_level: str = "INFO"
    """Lowest level that run loggers keep: DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    logging_extra_loggers: str = ""
    """Names of loggers of Python's logging, with commas between, whose records go to the log of the run around them."""
    log_max_bytes: int = 1 << 30
    """Size at which a run's log stops growing."""
    result_max_bytes: int = 64 << 20
    """Results that are larger than this, pickled, are not recorded."""
    caching: str = "on"
    """`on`: tasks that ask for it are cached; `refresh`: they run all the same and are recorded; `off`."""
    durability: str = "process"
    """`process`: recorded means safe from any kill; `full`: safe from power loss too, at the price of a sync each."""
    task_runner_max_workers: int = 32
    """How many submitted task calls of one flow run may run at once."""
    cancel_grace_seconds: float = 10.0
    """Time from the polite signal of a cancel to the hard one."""
    engine_idle_seconds: float = 60.0
    """How long an engine that a front end started stays when nobody needs it."""
    spares: int = 1
    """How many pairs of run host and flow process wait for a run, of each Python in use; 0 for none."""


SPARES_MAX: Final = 16
_CHOICES: Final = {"logging_level": LOG_LEVELS, "durability": ("process", "full"), "caching": ("on", "refresh", "off")}
_KINDS: Final = {"int": int, "float": float, "str": str}


def load(home: Home) -> Settings:
    """Read the settings.

    Raises:
        UsageError: a value cannot be used; the sentence names the variable, or the file and its line.
    """
    settings = Settings()
    if home.config.exists():
        settings = _from_file(settings, home)
    for field in fields(Settings):
        variable = f"FLOWDECK_{field.name.upper()}"
        if (text := os.environ.get(variable)) is not None:
            settings = _with(settings, field.name, text, f"environment variable {variable}")
    return settings


def _from_file(settings: Settings, home: Home) -> Settings:
    import tomllib  # noqa: PLC0415 - only when there is such a file: start-up time of every script

    try:
        text = home.config.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{home.config} cannot be read: {error.strerror}.") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{home.config} is not valid TOML: {error}.") from None
    except RecursionError:
        raise UsageError(f"{home.config} is nested too deeply; settings are plain values.") from None
    known = {field.name for field in fields(Settings)}
    for name, value in table.items():
        where = f"{home.config}, line {_line_of(name, text)}"
        if name not in known:
            raise UsageError(f"{where}: there is no setting '{name}'. Known: {', '.join(sorted(known))}.")
        settings = _with(settings, name, value, where)
    return settings


def _line_of(name: str, text: str) -> int:
    match = re.search(rf"^[\s\[]*['\"]?{re.escape(name)}['\"]?\s*[=\].]", text, re.MULTILINE)
    return text.count("\n", 0, match.start() + len(match[0])) + 1 if match else 1


def _with(settings: Settings, name: str, value: object, where: str) -> Settings:
    kind = _KINDS[str(Settings.__annotations__[name])]
    try:
        if isinstance(value, bool) or (kind is not str and isinstance(value, float) and value != kind(value)):
            raise ValueError  # true is no number, and 1.5 no whole one
        converted = kind(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: '{value}' is not a valid {name} (a {kind.__name__} is expected).") from None
    _check(name, converted, where)
    return replace(settings, **{name: converted})


def _check(name: str, value: object, where: str) -> None:
    allowed = _CHOICES.get(name)
    if allowed is not None and value not in allowed:
        raise UsageError(f"{where}: '{value}' is not a valid {name}. Choose one of {', '.join(allowed)}.")
    if isinstance(value, int | float) and not math.isfinite(value):
        raise UsageError(f"{where}: {name} may not be {value}.")
    if isinstance(value, int | float) and value < (1 if name == "task_runner_max_workers" else 0):
        raise UsageError(f"{where}: {name} may not be {value}.")
    if name == "spares" and isinstance(value, int) and value > SPARES_MAX:
        raise UsageError(f"{where}: spares may be {SPARES_MAX} at most, not {value}.")

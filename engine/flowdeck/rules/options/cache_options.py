"""What an author asked of caching: nothing, unless a policy or a key function is given."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.cache_policies import NO_CACHE, CachePolicy, KeyFunction, NoCache


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Options of a task's caching.

    Attributes:
        policy: cache policy that makes the key; NO_CACHE for no caching.
        expiration_seconds: how long a result is found again; None for ever.
        refresh: run in any case, and put the new result in the place of the old one; None as the setting says.
    """

    policy: CachePolicy = NO_CACHE
    expiration_seconds: float | None = None
    refresh: bool | None = None

    def is_on(self) -> bool:
        """Tell whether calls are looked for in the cache."""
        return not isinstance(self.policy, NoCache)


NO_CACHING: Final = CacheOptions()


def cache_options(options: Mapping[str, Any], *, owner: str) -> CacheOptions:
    """Return what cache_policy, cache_key_fn, cache_expiration and refresh_cache of a decorator say.

    Raises:
        DefinitionError: one of them cannot be used.
    """
    policy, function = options.get("cache_policy"), options.get("cache_key_fn")
    if policy is None and function is None:
        _check_alone(options, owner)
        return NO_CACHING
    if function is not None:
        if not callable(function):
            raise DefinitionError(f"cache_key_fn of {owner} must be a function, not {function!r}.")
        if policy is not None:
            told = f"{owner} has a cache_policy and a cache_key_fn; the function is used and the policy is not."
            warnings.warn(told, UserWarning, stacklevel=4)
        policy = KeyFunction(function=function)
    if not isinstance(policy, CachePolicy):
        raise DefinitionError(f"cache_policy of {owner} must be a policy of flowdeck.cache_policies, not {policy!r}.")
    if policy.lacks_a_rule():
        raise DefinitionError(
            f"cache_policy of {owner} is a {type(policy).__name__}, which has no compute_key(task_ctx, inputs, "
            "flow_parameters, **kwargs)."
        )
    return CacheOptions(policy, _seconds(options.get("cache_expiration"), owner), options.get("refresh_cache"))


def _check_alone(options: Mapping[str, Any], owner: str) -> None:
    if options.get("cache_expiration") is not None:
        raise DefinitionError(
            f"{owner} has a cache_expiration, but neither a cache_policy nor a cache_key_fn: nothing would be cached. "
            "Add cache_policy=INPUTS, say."
        )


def _seconds(given: Any, owner: str) -> float | None:
    if given is None:
        return None
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise DefinitionError(f"cache_expiration of {owner} must be a timedelta or a number of seconds, not {given!r}.")
    return float(seconds)

"""Cache policies: what their keys are made of, and how they add up."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.cache_policies import (
    DEFAULT,
    FLOW_PARAMETERS,
    INPUTS,
    NO_CACHE,
    NONE,
    RUN_ID,
    SERIALIZABLE,
    TASK_SOURCE,
    CachePolicy,
    CallFacts,
    KeyFunction,
    UnkeyedError,
    task_input_hash,
)
from flowdeck.rules.options.cache_options import CacheOptions, cache_options


class FakeTask(NamedTuple):
    name: str
    task_key: str
    fn: Callable[..., Any]


def one(x: int) -> int:
    return x + 1


def same_as_one(x: int) -> int:
    return x + 1


def other(x: int) -> int:
    return x + 2


def facts(
    fn: Callable[..., Any] = one, run: str = "r", flow: dict[str, Any] | None = None, **arguments: Any
) -> CallFacts:
    return CallFacts(FakeTask("t", "k", fn), None, arguments, flow or {}, run)


def key(policy: CachePolicy, given: CallFacts) -> str | None:
    return policy.key(given)


def test_inputs() -> None:
    """The arguments and nothing else; `-` leaves one out."""
    assert key(INPUTS, facts(x=1)) == key(INPUTS, facts(other, "s", {"p": 1}, x=1))
    assert key(INPUTS, facts(x=1)) != key(INPUTS, facts(x=2))
    assert key(INPUTS - "x", facts(x=1, y=1)) == key(INPUTS - "x", facts(x=2, y=1))
    assert key(INPUTS - "x" - "y", facts(x=1, y=1)) is None
    assert key(INPUTS, facts()) is None


def test_task_source() -> None:
    """The code counts, its name and place do not."""
    assert key(TASK_SOURCE, facts(one)) == key(TASK_SOURCE, facts(same_as_one))
    assert key(TASK_SOURCE, facts(one)) != key(TASK_SOURCE, facts(other))


def test_run_id_and_flow_parameters() -> None:
    """Those of the flow run."""
    assert key(RUN_ID, facts(run="r")) != key(RUN_ID, facts(run="s"))
    assert key(FLOW_PARAMETERS, facts(flow={"p": 1})) != key(FLOW_PARAMETERS, facts(flow={"p": 2}))
    assert key(FLOW_PARAMETERS, facts()) is None


def test_policies_add_up() -> None:
    """The key of a sum changes with each part; NO_CACHE adds nothing; `-` reaches into a sum."""
    both = INPUTS + TASK_SOURCE
    given = [facts(x=1), facts(x=2), facts(other, x=1)]
    assert len({key(INPUTS, facts(x=1)), *(key(both, one) for one in given)}) == 4
    assert NO_CACHE + INPUTS == INPUTS == INPUTS + NONE
    assert (NO_CACHE + NO_CACHE) == NO_CACHE
    assert key(both - "x", facts(x=1, y=1)) == key(both - "x", facts(x=2, y=1))
    assert DEFAULT == INPUTS + TASK_SOURCE + RUN_ID
    assert [name for name, _ in DEFAULT.parts(facts(x=1))] == ["inputs", "task source", "run id"]


def test_isolation_stays_in_a_sum() -> None:
    """One serializable part makes the whole so."""
    strict = INPUTS.configure(isolation_level="SERIALIZABLE")
    assert (strict + TASK_SOURCE).isolation_level == (TASK_SOURCE + strict).isolation_level == SERIALIZABLE
    assert key(strict, facts(x=1)) == key(INPUTS, facts(x=1))
    with pytest.raises(DefinitionError, match="SERIALIZABLE"):
        INPUTS.configure(isolation_level="STRICT")  # type: ignore[arg-type]
    assert strict.configure().isolation_level == "SERIALIZABLE"


def test_what_prefect_keeps_elsewhere_is_taken_or_refused() -> None:
    """Managers of locks on this machine are what flowdeck's own locks are; a storage for keys there is none."""

    class FileSystemLockManager: ...

    class RedisLockManager: ...

    assert INPUTS.configure(lock_manager=FileSystemLockManager(), isolation_level="SERIALIZABLE") == INPUTS.configure(
        isolation_level="SERIALIZABLE"
    )
    with pytest.raises(DefinitionError, match="no RedisLockManager: flowdeck's own locks"):
        INPUTS.configure(lock_manager=RedisLockManager())
    with pytest.raises(DefinitionError, match="takes no key_storage"):
        INPUTS.configure(key_storage="folder")  # type: ignore[arg-type]


def test_inputs_that_cannot_be_hashed() -> None:
    """Are said to be so, rather than taken for equal."""
    with pytest.raises(UnkeyedError, match="the inputs cannot be hashed"):
        key(INPUTS, facts(x=threading.Lock()))
    assert task_input_hash(facts(), {"x": threading.Lock()}) is None


def test_task_input_hash() -> None:
    """Task, code and arguments."""
    keys = {
        task_input_hash(facts(one), {"x": 1}),
        task_input_hash(facts(one), {"x": 2}),
        task_input_hash(facts(other), {"x": 1}),
    }
    assert len(keys) == 3
    assert task_input_hash(facts(one), {"x": 1}) in keys


@pytest.mark.parametrize("given", [3, "x" * 2001, b"k"])
def test_key_function_gives_a_text(given: Any) -> None:
    """Anything else is named."""
    with pytest.raises(UnkeyedError, match="text"):
        key(KeyFunction(function=lambda _context, _parameters: given), facts())


def test_key_function_is_given_context_and_arguments() -> None:
    """And its key is used as it is."""
    policy = KeyFunction(function=lambda context, parameters: f"{context.task.task_key}:{parameters['x']}")
    assert key(policy, facts(x=3)) == "k:3"
    assert key(KeyFunction(function=lambda _c, _p: None), facts()) is None
    with pytest.raises(UnkeyedError, match="KeyError"):
        key(policy, facts())


def test_parts_and_key_come_of_one_call_of_the_function() -> None:
    """A key that changes between two calls would be told of one and stored under the other."""
    keys = iter(["first", "second"])
    policy = KeyFunction(function=lambda _context, _parameters: next(keys))
    parts = policy.parts(facts(x=3))
    assert (parts, policy.key_of(parts), next(keys)) == ([("key function", "first")], "first", "second")


def test_options_of_a_task() -> None:
    """Off unless asked for; a key function wins over a policy, with a warning."""
    assert not cache_options({}, owner="t").is_on()
    expiring = cache_options({"cache_policy": INPUTS, "cache_expiration": timedelta(hours=1)}, owner="t")
    assert expiring == CacheOptions(INPUTS, 3600.0, None)
    with pytest.warns(UserWarning, match="the function is used"):
        both = cache_options({"cache_policy": INPUTS, "cache_key_fn": task_input_hash}, owner="t")
    assert isinstance(both.policy, KeyFunction)


@pytest.mark.parametrize(
    "options",
    [
        {"cache_policy": "inputs"},
        {"cache_key_fn": "key"},
        {"cache_policy": INPUTS, "cache_expiration": "1h"},
        {"cache_policy": INPUTS, "cache_expiration": float("nan")},
        {"cache_expiration": timedelta(hours=1)},
    ],
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    """In a sentence that names the task."""
    with pytest.raises(DefinitionError, match="task 't'"):
        cache_options(options, owner="task 't'")


RATE = 2


def with_rate(x: int) -> int:
    return x * RATE


def by_helper(x: int) -> int:
    return with_rate(x)


def scaler(k: int) -> Callable[[int], int]:
    def scale(x: int) -> int:
        return x * k

    return scale


def defaulted(k: int) -> Callable[[int], int]:
    def scale(x: int, *, k: int = k) -> int:
        return x * k

    return scale


def both_keys(fn: Callable[..., Any], name: str = "t") -> tuple[Any, Any]:
    given = CallFacts(FakeTask(name, "k", fn), None, {"x": 1}, {}, "r")
    return key(TASK_SOURCE, given), task_input_hash(given, {"x": 1})


@pytest.mark.parametrize("make", [scaler, defaulted, lambda k: lambda x: x * k, lambda k: functools.partial(scaler, k)])
def test_source_is_what_a_function_closes_over_too(make: Callable[[int], Any]) -> None:
    """Each of two closures has keys of its own, and the same ones when it is made again."""
    for one, same, other in zip(both_keys(make(2)), both_keys(make(2)), both_keys(make(3)), strict=True):
        assert None is not one == same != other


@pytest.mark.parametrize("fn", [with_rate, by_helper])
def test_source_is_the_globals_that_it_names(fn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Itself or by a helper of its file."""
    before = both_keys(fn)
    assert before == both_keys(fn)
    monkeypatch.setattr(f"{__name__}.RATE", 3)
    assert set(before).isdisjoint(both_keys(fn))


def test_source_is_the_name_of_the_task() -> None:
    """Two tasks of one function are two."""
    assert set(both_keys(one)).isdisjoint(both_keys(one, "other"))


def test_source_that_cannot_be_hashed_is_not_cached() -> None:
    """And the reason names the variable."""
    lock = threading.Lock()

    def guarded(x: int) -> int:
        with lock:
            return x

    with pytest.raises(UnkeyedError, match="the task cannot be hashed: it closes over 'lock', of type lock"):
        key(TASK_SOURCE, facts(guarded, x=1))
    assert task_input_hash(facts(guarded), {"x": 1}) is None

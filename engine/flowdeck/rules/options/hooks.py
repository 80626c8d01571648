"""Functions of an author that are called when a run enters a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from flowdeck.rules.exceptions import InvalidHookError

Hook = Callable[..., Any]
Hooks = Mapping[str, tuple[Hook, ...]]
"""By kind: running, completion, failure, cancellation, crashed; of tasks rollback and commit too."""

NO_HOOKS: Final[Hooks] = MappingProxyType({})
HOOKS_OF_A_LOST_PROCESS: Final = ("cancellation", "crashed")
"""Kinds of hooks of flows that are called also when the run's process is gone: by another one."""
FLOW_HOOKS: Final = ("running", "completion", "failure", "cancellation", "crashed")
TASK_HOOKS: Final = ("running", "completion", "failure", "rollback", "commit")


def hook_table(options: Mapping[str, Any], kinds: Iterable[str], *, owner: str) -> Hooks:
    """Return the hooks among the options of a decorator: `on_failure=[tell]` as `{"failure": (tell,)}`.

    Raises:
        InvalidHookError: one of them is neither a function nor a list of functions.
    """
    table: dict[str, tuple[Hook, ...]] = {}
    for kind in kinds:
        given = options.get(f"on_{kind}")
        if given is None:
            continue
        hooks = tuple(given) if isinstance(given, list | tuple) else (given,)
        for hook in hooks:
            if not callable(hook):
                raise InvalidHookError(f"on_{kind} of {owner} takes functions, not {hook!r}.")
        if hooks:
            table[kind] = hooks
    return MappingProxyType(table) if table else NO_HOOKS


def with_those_of(hooks: Hooks, declared: Hooks, options: Iterable[str]) -> Hooks:
    """Return hooks with those of some options in their place, as `with_options` has them.

    Args:
        hooks: all hooks, those added to the decorator's included.
        declared: of the new options.
        options: names of the options that were given anew.
    """
    anew = {name.removeprefix("on_") for name in options}
    kept = {kind: those for kind, those in hooks.items() if kind not in anew}
    table = {**kept, **{kind: those for kind, those in declared.items() if kind in anew}}
    return MappingProxyType(table) if table else NO_HOOKS


def hook_name(hook: Hook) -> str:
    """Return how a hook is called in a log: the name of its function, of what a partial calls, or of its class."""
    innermost: Any = getattr(hook, "func", hook)
    return str(getattr(innermost, "__qualname__", None) or type(innermost).__qualname__)


def with_hook(hooks: Hooks, kind: str, hook: Hook, *, owner: str) -> Hooks:
    """Return hooks with one more, behind those of its kind.

    Raises:
        InvalidHookError: it cannot be called.
    """
    added = hook_table({f"on_{kind}": hook}, (kind,), owner=owner)
    return MappingProxyType({**hooks, kind: (*hooks.get(kind, ()), *added[kind])})

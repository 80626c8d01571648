"""Cache policies: of what the key of a cached result is made, and their algebra."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.content_hashes import content_hash, hash_of, source_hash
from flowdeck.rules.keys.refusals import NotKeyedError

READ_COMMITTED: Final = "READ_COMMITTED"
SERIALIZABLE: Final = "SERIALIZABLE"
_LOCK_MANAGERS: Final = frozenset({"MemoryLockManager", "FileSystemLockManager"})
MAXIMUM_KEY_LENGTH: Final = 2000
"""Longest cache key that is taken (the same as in Prefect)."""


class UnkeyedError(Exception):
    """A part of a cache key could not be made; the call runs uncached."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a policy may look at."""

    task: Any
    """The task; it has `task_key`, `name` and `fn`."""
    task_run: Any
    """View of the task run: id, name, flow_run_id."""
    arguments: Mapping[str, Any]
    """By parameter name, defaults filled in."""
    flow_parameters: Mapping[str, Any]
    flow_run_id: str

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The arguments, by the name that users of Prefect know."""
        return self.arguments


@dataclass(frozen=True)
class CachePolicy:
    """A rule that makes a cache key of a call. Policies add up: `INPUTS + TASK_SOURCE`."""

    isolation_level: str = field(default=READ_COMMITTED, kw_only=True)
    """With SERIALIZABLE a call waits while another one with the same key runs, and then takes its result."""

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """Return (name, hash) of what the key is made of; nothing when this policy does not cache the call.

        Raises:
            UnkeyedError: a part of it cannot be hashed.
        """
        try:
            key = self.compute_key(facts, dict(facts.arguments), dict(facts.flow_parameters))
        except Exception as error:
            raise UnkeyedError(f"its policy raised {type(error).__name__}: {error}") from error
        return [] if key is None else [(type(self).__name__, _checked(key, "its policy"))]

    def compute_key(
        self, task_ctx: CallFacts, inputs: Mapping[str, Any], flow_parameters: Mapping[str, Any], **kwargs: Any
    ) -> str | None:
        """Return the key of a call, or None when it is not to be cached: what a policy of an author's own overrides.

        Args:
            task_ctx: the call: its `task`, `task_run` and `parameters`.
            inputs: arguments of the call by parameter name.
            flow_parameters: parameters of the flow run.
            kwargs: for what may be added later.
        """
        del kwargs
        facts = replace(task_ctx, arguments=inputs, flow_parameters=flow_parameters)
        return self.key_of(self.parts(facts))

    def lacks_a_rule(self) -> bool:
        """Tell whether a policy says nowhere how its key is made."""
        kind = type(self)
        return kind.parts is CachePolicy.parts and kind.compute_key is CachePolicy.compute_key

    def key(self, facts: CallFacts) -> str | None:
        """Return the key of a call, or None when it is not to be cached."""
        return self.key_of(self.parts(facts))

    def key_of(self, parts: Sequence[tuple[str, str]]) -> str | None:
        """Return the key that is made of the parts of a call, or None when there are none.

        Args:
            parts: the parts that `parts` returned.
        """
        if parts and type(self).parts is CachePolicy.parts:
            return parts[0][1]  # an author's own: the text itself
        return content_hash(*parts) if parts else None

    def configure(
        self,
        key_storage: None = None,
        lock_manager: Any = None,
        isolation_level: Literal["READ_COMMITTED", "SERIALIZABLE"] | None = None,
    ) -> CachePolicy:
        """Return this policy with another isolation of calls that have the same key at the same time.

        Args:
            key_storage: for Prefect's code; keys lie in flowdeck's home.
            lock_manager: for Prefect's code; flowdeck's locks hold over all processes of a home, which is what the
                managers of memory and of files are there for.
            isolation_level: that of this policy unless given.

        Raises:
            DefinitionError: one of them asks for what flowdeck does not do.
        """
        if key_storage is not None:
            raise DefinitionError("A cache policy takes no key_storage: keys lie in flowdeck's home.")
        if lock_manager is not None and type(lock_manager).__name__ not in _LOCK_MANAGERS:
            raise DefinitionError(
                f"A cache policy takes no {type(lock_manager).__name__}: flowdeck's own locks hold over all processes "
                "of a home; leave lock_manager away."
            )
        level = getattr(isolation_level, "name", isolation_level) or self.isolation_level
        if level not in {READ_COMMITTED, SERIALIZABLE}:
            raise DefinitionError(f"isolation_level is READ_COMMITTED or SERIALIZABLE, not {isolation_level!r}.")
        configured = copy.copy(self)
        object.__setattr__(configured, "isolation_level", level)
        return configured

    def __add__(self, other: CachePolicy) -> CachePolicy:
        if not isinstance(other, CachePolicy):
            return NotImplemented
        if isinstance(other, NoCache) or isinstance(self, NoCache):
            return other if isinstance(self, NoCache) else self
        level = SERIALIZABLE if SERIALIZABLE in {self.isolation_level, other.isolation_level} else READ_COMMITTED
        return Compound((*_members(self), *_members(other)), isolation_level=level)

    def __sub__(self, name: str) -> CachePolicy:
        if not isinstance(name, str):
            return NotImplemented
        return replace(self, members=tuple(one - name for one in self.members)) if isinstance(self, Compound) else self


@dataclass(frozen=True)
class Inputs(CachePolicy):
    """The arguments of the call."""

    exclude: tuple[str, ...] = ()

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`. Without arguments there is nothing of it."""
        counted = {name: value for name, value in facts.arguments.items() if name not in self.exclude}
        return [("inputs", _hash_of(counted, "the inputs"))] if counted else []

    def __sub__(self, name: str) -> CachePolicy:
        return replace(self, exclude=(*self.exclude, name)) if isinstance(name, str) else NotImplemented


@dataclass(frozen=True)
class TaskSource(CachePolicy):
    """The task's name and what its function does: see `content_hashes.source_hash`."""

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`."""
        try:
            return [("task source", hash_of(facts.task.name, source_hash(facts.task.fn)))]
        except NotKeyedError as error:
            raise UnkeyedError(f"the task cannot be hashed: {error}") from None


@dataclass(frozen=True)
class FlowParameters(CachePolicy):
    """The parameters of the flow run."""

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`."""
        parameters = dict(facts.flow_parameters)
        return [("flow parameters", _hash_of(parameters, "the flow's parameters"))] if parameters else []


@dataclass(frozen=True)
class RunId(CachePolicy):
    """The flow run: its retries find the result, other runs do not."""

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`."""
        return [("run id", facts.flow_run_id)]


@dataclass(frozen=True)
class KeyFunction(CachePolicy):
    """A function of the author's: `(context, parameters)` to a text, or None for no caching."""

    function: Callable[..., Any] = field(kw_only=True)

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`. The function is called once."""
        try:
            key = self.function(facts, dict(facts.arguments))
        except Exception as error:
            raise UnkeyedError(f"its key function raised {type(error).__name__}: {error}") from error
        return [] if key is None else [("key function", _checked(key, "its key function"))]

    def key_of(self, parts: Sequence[tuple[str, str]]) -> str | None:
        """The text itself: an author may choose the same key for several tasks."""
        return parts[0][1] if parts else None


@dataclass(frozen=True)
class Compound(CachePolicy):
    """Several policies together: the key is made of the parts of all."""

    members: tuple[CachePolicy, ...] = ()

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`."""
        return [part for member in self.members for part in member.parts(facts)]


@dataclass(frozen=True)
class NoCache(CachePolicy):
    """No caching; added to another policy it is that one."""

    def parts(self, facts: CallFacts) -> list[tuple[str, str]]:
        """See `CachePolicy`."""
        del facts
        return []


def task_input_hash(context: Any, arguments: Mapping[str, Any]) -> str | None:
    """Return a cache key of the task, what its function does, and its arguments: for `cache_key_fn`.

    Args:
        context: what a key function is given.
        arguments: arguments of the call, by name.

    Returns:
        The key, or None when an argument has no stable bytes, or what the function closes over: such a call is not
        cached.
    """
    task = context.task
    try:
        return hash_of(task.task_key, task.name, source_hash(task.fn), dict(arguments))
    except NotKeyedError:
        return None


def _checked(key: Any, who: str) -> str:
    if isinstance(key, str) and len(key) <= MAXIMUM_KEY_LENGTH:
        return key
    told = f"a text of {len(key)} characters" if isinstance(key, str) else f"a {type(key).__name__}"
    raise UnkeyedError(f"{who} returned {told}; a text of at most {MAXIMUM_KEY_LENGTH} is expected")


def _members(policy: CachePolicy) -> tuple[CachePolicy, ...]:
    return policy.members if isinstance(policy, Compound) else (policy,)


def _hash_of(value: Any, what: str) -> str:
    try:
        return hash_of(value)
    except NotKeyedError as error:
        raise UnkeyedError(f"{what} cannot be hashed: {error}") from None


INPUTS: Final = Inputs()
TASK_SOURCE: Final = TaskSource()
FLOW_PARAMETERS: Final = FlowParameters()
RUN_ID: Final = RunId()
NO_CACHE: Final = NoCache()
NONE: Final = NO_CACHE
DEFAULT: Final = INPUTS + TASK_SOURCE + RUN_ID

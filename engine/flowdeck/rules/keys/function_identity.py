"""Which function a call is of: what tells the tasks and flows apart that a later attempt may ask for.

What has a name in its file is known by file, name and the name that it has as a task: so that it may be mended, and a
retry takes what it returned before. What is made in a function, and a lambda, has no name of its own: it is known by
its code and by what that closes over, at the time of the call. What a function changes itself (a counter, a list that
it appends to) counts as it was when first seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, MappingProxyType
from typing import Any, Final

from flowdeck.rules.keys.call_keys import MAXIMUM_INPUT_BYTES, key_of
from flowdeck.rules.keys.function_encoding import has_own_name, plain_code
from flowdeck.rules.keys.value_encoding import Encoder

_NOTHING_KNOWN: Final[Mapping[int, bytes]] = MappingProxyType({})
_definitions: Final[dict[str, set[CodeType]]] = {}
"""The codes that stood under a name in this process. One that is given to several is not enough to know them by."""


class FunctionIdentity:
    """What a call is of, for one task or flow. Thread-safe."""

    __slots__ = ("_fixed", "_name", "function")

    def __init__(self, key: str, name: str, function: Callable[..., Any]) -> None:
        """Make the identity of a task or a flow, when it is defined.

        Args:
            key: see `call_keys.task_key`.
            name: of the task or flow.
            function: what it calls.
        """
        self._name = f"{key} as {name}"
        self.function = function
        self._fixed: str | None = None
        if _has_name(function):
            codes = _definitions.setdefault(self._name, set())
            codes.add(function.__code__)

    def text(self, known: Mapping[int, bytes] = _NOTHING_KNOWN) -> str:
        """Return what stands for it in the keys of its calls.

        Args:
            known: see `call_keys.input_key`.

        Raises:
            NotKeyedError: it closes over something that cannot be told from others.
        """
        return self._fixed or self._told(known)

    def _told(self, known: Mapping[int, bytes]) -> str:
        function = self.function
        if not _has_name(function):
            return f"{self._name} {self._digest(known)}"
        told = self._name
        if function.__defaults__ or function.__kwdefaults__:
            told = f"{told} {self._digest(known)}"
        if len(_definitions[self._name]) > 1:
            return f"{told} {key_of((plain_code(function.__code__),), _encoder(known), MAXIMUM_INPUT_BYTES).hex()}"
        self._fixed = told
        return told

    def _digest(self, known: Mapping[int, bytes]) -> str:
        return key_of((self.function,), _encoder(known), MAXIMUM_INPUT_BYTES).hex()


def _encoder(known: Mapping[int, bytes]) -> Encoder:
    return Encoder(known, MAXIMUM_INPUT_BYTES)


def _has_name(function: Any) -> bool:
    """Tell whether a function is nothing but what stands under its name in its file."""
    if type(function) is not FunctionType or function.__closure__:
        return False
    return has_own_name(function) and "__wrapped__" not in function.__dict__

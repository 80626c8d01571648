"""Values on their way to another process and back: pickled, with large buffers left where they are.

What has a name in a module travels by that name; what has none (a lambda, a task made inside a function, all that a
notebook defines) travels by value, which is cloudpickle's part. A script's own file is `__main__` here and
`__mp_main__` in a worker, as in the standard library's multiprocessing.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Final

from flowdeck.execution.recording.failures import sentence
from flowdeck.execution.workers.frames import Part
from flowdeck.rules.exceptions import FlowdeckError

MAIN: Final = "__main__"
MAIN_IN_WORKER: Final = "__mp_main__"
_PROTOCOL: Final = 5


def dumps(value: Any) -> list[Part]:
    """Return a value as parts of a frame.

    Raises:
        Exception: of pickle or of the author's class, for a value that cannot travel.
    """
    if not _is_nameless_main():
        buffers: list[pickle.PickleBuffer] = []
        try:
            return [pickle.dumps(value, _PROTOCOL, buffer_callback=buffers.append), *_raw(buffers)]
        except (pickle.PicklingError, AttributeError, TypeError):
            pass
    return _by_value(value)


def loads(parts: Sequence[Part]) -> Any:
    """Return the value of parts that came from a worker.

    Raises:
        Exception: what they hold cannot be made here.
    """
    return _Unpickler(io.BytesIO(parts[0]), buffers=parts[1:]).load()


def reason(error: BaseException) -> str:
    """Return why a value cannot travel, for a sentence."""
    return str(error).rstrip(".") if isinstance(error, FlowdeckError) else sentence(error)


def main_file() -> str | None:
    """Return the file of `__main__`; None when it has none that another process could import."""
    file = getattr(sys.modules.get(MAIN), "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) and os.path.isfile(file) else None


class _Unpickler(pickle.Unpickler):
    """Finds what a worker knows as of `__mp_main__`."""

    def find_class(self, module: str, name: str, /) -> Any:
        return super().find_class(MAIN if module == MAIN_IN_WORKER else module, name)


def _by_value(value: Any) -> list[Part]:
    import cloudpickle  # noqa: PLC0415 - 30 ms, for what pickle cannot name

    class Pickler(cloudpickle.CloudPickler):
        """Takes flows and tasks by value too, where they have no name, and lets code keep its file."""

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, CodeType):
                reduced = self.dispatch_table[CodeType](obj)
                return _code_of_file, (obj.co_filename, reduced[0], *reduced[1])
            by_value = getattr(type(obj), "reduced_by_value", None)
            if by_value is not None and (_is_nameless_main(obj.__module__) or not _has_name(obj)):
                return by_value(obj)
            return super().reducer_override(obj)

    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    Pickler(stream, _PROTOCOL, buffers.append).dump(value)
    return [stream.getbuffer(), *_raw(buffers)]


def _code_of_file(file: str, make: Callable[..., CodeType], *arguments: Any) -> CodeType:
    """Return code as it was made, of the file that it was written in: cloudpickle 3.1.3 no longer says which."""
    return make(*arguments).replace(co_filename=file)


def _raw(buffers: list[pickle.PickleBuffer]) -> list[Part]:
    return [buffer.raw() for buffer in buffers]


def _is_nameless_main(module_name: str = MAIN) -> bool:
    """Tell whether a module is a `__main__` that no other process can import: of a notebook, of `python -c`."""
    return module_name == MAIN and main_file() is None


def _has_name(decorated: Any) -> bool:
    """Tell whether a flow or task stands under its own name in its module."""
    found: Any = sys.modules.get(decorated.__module__)
    for name in getattr(decorated, "__qualname__", "<none>").split("."):
        found = getattr(found, name, None)
    return found is decorated

"""Values that come to a worker: the author's modules are imported when something in them is needed.

The script itself is imported as `__mp_main__`, up to the first flow that it calls: so a script with no guard
(`if __name__ == "__main__":`) does not run its flow again in each worker.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from flowdeck.execution.calls import context
from flowdeck.execution.calls.context import ModuleCallReached
from flowdeck.execution.recording.failures import describe
from flowdeck.execution.workers import transfer
from flowdeck.execution.workers.frames import Part
from flowdeck.execution.workers.transfer import MAIN, MAIN_IN_WORKER
from flowdeck.execution.workers.worker_messages import Hello
from flowdeck.host.loading import LoadError, compile_file, load_file
from flowdeck.rules.exceptions import WorkerError


class WorkerValues:
    """Makes values of what comes, and the other way round."""

    def __init__(self, hello: Hello) -> None:
        """Copy sys.path and argv of the flow's process. Args: hello: the first message of that process."""
        sys.path[:] = hello.sys_path
        sys.argv[:] = hello.sys_argv
        self._flow_files = hello.flow_files
        self._main = _MainModule(hello.main_file, hello.main_package)

    def loads(self, parts: Sequence[Part]) -> Any:
        """Return the value of what came.

        Raises:
            Exception: it cannot be made here.
        """
        return _Unpickler(self, parts).load()

    def loads_order(self, parts: Sequence[Part]) -> Any:
        """Return the value of an order, for which the author's modules may have to be imported: no flow of theirs runs.

        Raises:
            Exception: it cannot be made here.
        """
        with _describing():
            return self.loads(parts)

    def dumps(self, value: Any) -> list[Part]:
        """Return what goes back of a value; see `transfer.dumps`."""
        return transfer.dumps(value)

    def import_for(self, module: str) -> None:
        """Import a module that Python alone would not find."""
        if module in {MAIN, MAIN_IN_WORKER}:
            self._main.load()
        elif module not in sys.modules and module in self._flow_files:
            load_file(Path(self._flow_files[module]), module)

    def not_found(self, module: str, name: str, error: AttributeError) -> Exception:
        """Return what is to be said of a name that a module does not have."""
        call = self._main.stopped_at
        if module not in {MAIN, MAIN_IN_WORKER} or call is None:
            return error
        called, file, line = call
        return WorkerError(
            f"'{name}' is defined below the call of '{called}' ({file}, line {line}), up to which a script is imported "
            'in its worker processes; put that call under `if __name__ == "__main__":`'
        )


class _Unpickler(pickle.Unpickler):
    def __init__(self, values: WorkerValues, parts: Sequence[Part]) -> None:
        super().__init__(io.BytesIO(parts[0]), buffers=parts[1:])
        self._values = values

    def find_class(self, module: str, name: str, /) -> Any:
        self._values.import_for(module)
        try:
            return super().find_class(module, name)
        except AttributeError as error:
            raise self._values.not_found(module, name, error) from None


class _MainModule:
    """The script of the flow's process."""

    def __init__(self, file: str | None, package: str | None) -> None:
        self.stopped_at: tuple[str, str, int] | None = None
        """The call of a flow at module level, behind which nothing of it is there: name, file, line."""
        self._file = file
        self._is_loaded = file is None
        self._lock = threading.RLock()
        self._module = ModuleType(MAIN_IN_WORKER)
        self._module.__package__ = package
        if file is not None:
            self._module.__file__ = file
        sys.modules[MAIN] = sys.modules[MAIN_IN_WORKER] = self._module

    def load(self) -> None:
        with self._lock:
            if not self._is_loaded and self._file is not None:
                self._is_loaded = True  # what it imports may need it
                self._execute(Path(self._file))

    def _execute(self, path: Path) -> None:
        code = compile_file(path)
        context.module_call_ends_import = True
        try:
            with _describing():
                exec(code, self._module.__dict__)
        except ModuleCallReached as reached:
            self.stopped_at = reached.call
        except BaseException as error:
            self._is_loaded = False
            raise LoadError(path, describe(error)) from error
        finally:
            context.module_call_ends_import = False


@contextlib.contextmanager
def _describing() -> Generator[None]:
    was_describing, context.describing = context.describing, True
    try:
        yield
    finally:
        context.describing = was_describing

"""Task runners, by the names under which authors import them: `@flow(task_runner=ProcessPoolTaskRunner())`."""

from typing import Any, Final

from flowdeck.rules.options.task_runners import ProcessPoolTaskRunner, SequentialTaskRunner, ThreadPoolTaskRunner

__all__ = ["ConcurrentTaskRunner", "ProcessPoolTaskRunner", "SequentialTaskRunner", "ThreadPoolTaskRunner"]

ConcurrentTaskRunner = ThreadPoolTaskRunner
"""The name that older flows use."""

_ELSEWHERE: Final = frozenset({"DaskTaskRunner", "RayTaskRunner"})


def __getattr__(name: str) -> Any:
    """Refuse the runners of clusters in a sentence.

    Raises:
        ImportError: this flowdeck does not have them.
    """
    if name in _ELSEWHERE:
        raise ImportError(
            f"{name} is not part of this flowdeck yet; ThreadPoolTaskRunner and ProcessPoolTaskRunner run calls side "
            "by side on this machine."
        )
    raise AttributeError(f"module 'flowdeck.task_runners' has no attribute '{name}'")

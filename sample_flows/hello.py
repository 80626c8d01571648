"""The smallest flow.

Watch: one task run, one line of log, and a run that is over before you look.
"""

from flowdeck import flow, task


@task
def greet(name: str) -> str:
    """Make a greeting."""
    return f"Hello, {name}."


@flow(log_prints=True)
def hello(name: str = "world") -> None:
    """Greet someone in the log."""
    greeting = greet(name)
    print(greeting)


if __name__ == "__main__":
    hello()

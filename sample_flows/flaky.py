"""A service that is slow to wake, and tasks that try again.

The service has to be knocked on a few times before it is up. It remembers how often that was, in a small folder
of the system's temporary directory, as a real one would remember across the runs of its callers.

Watch: with the default parameters `connect` gives up after four attempts, 7 seconds apart in all, and the run is
Failed. Retry it (`r`): the service has been warming up in the meantime, `connect` gets through on its third attempt,
and the pages are fetched; most come at once, some need a second or a third attempt, after a wait that doubles.
When all pages are there the service goes back to sleep, so the next new run fails again.
"""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path

from flowdeck import flow, get_run_logger, task

MEMORY = Path(tempfile.gettempdir()) / f"flowdeck-flaky-{os.getuid()}"


@task(retries=3, retry_delay_seconds=[1, 2, 4])
def connect(knocks_to_wake: int) -> None:
    """Knock until the service is up.

    Raises:
        ConnectionRefusedError: it is still asleep.
    """
    knocks = remember("knocks")
    if knocks <= knocks_to_wake:
        raise ConnectionRefusedError(f"the service is not ready: knock {knocks}, and it wakes after {knocks_to_wake}")
    get_run_logger().info("The service answered knock %d.", knocks)


@task(retries=5, retry_delay_seconds=[0.5, 1, 2, 4, 8], log_prints=True)
def fetch_page(page: int, failure_rate: float, seed: int) -> int:
    """Fetch one page, if the service is in the mood.

    Returns:
        The number of rows on the page.

    Raises:
        TimeoutError: the service did not answer. The same page, attempt and seed always fare the same.
    """
    attempt = remember(f"page-{page}")
    mood = random.Random(f"{seed}/{page}/{attempt}")
    time.sleep(mood.uniform(0.2, 1))
    if mood.random() < failure_rate:
        raise TimeoutError(f"no answer for page {page} (attempt {attempt})")
    rows = mood.randint(20, 50)
    print(f"page {page}: {rows} rows")
    return rows


@flow
def flaky(pages: int = 12, knocks_to_wake: int = 6, failure_rate: float = 0.4, seed: int = 1) -> int:
    """Connect to a service that is slow to wake, then fetch its pages.

    Args:
        pages: how many pages to fetch.
        knocks_to_wake: how many attempts to connect are refused before one gets through; 0: none.
        failure_rate: the share of fetches that time out, from 0 to 1.
        seed: which fetches these are.
    """
    connect(knocks_to_wake)
    fetched = fetch_page.map(range(1, pages + 1), failure_rate, seed)
    rows = sum(page.result() for page in fetched)
    get_run_logger().info("Fetched %d rows on %d pages.", rows, pages)
    shutil.rmtree(MEMORY, ignore_errors=True)
    return rows


def remember(event: str) -> int:
    """Count an event in the memory of the service, and return how often it has happened by now."""
    MEMORY.mkdir(mode=0o700, exist_ok=True)
    path = MEMORY / event
    count = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(count))
    return count


if __name__ == "__main__":
    flaky()

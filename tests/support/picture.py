"""Make the README's picture: real runs of the sample flows, the real screen, as SVG.

python -m tests.support.picture app/screen.svg
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from flowdeck.deck import Deck
from flowdeck.rules.exceptions import RefusedError
from flowdeck_tui.app import FlowdeckApp

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_flows"
SIZE = (112, 32)
PATIENCE_SECONDS = 60.0


async def _photograph(home: str) -> str:
    app = FlowdeckApp(str(SAMPLES), lambda: Deck(home))
    async with app.run_test(size=SIZE) as pilot:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        deck = Deck(home)
        deck.engine.ensure(started_by="tui")
        while not any(entry.name == "code-census" for entry in deck.flows.entries()):
            assert asyncio.get_running_loop().time() < deadline, "the flows were not found in time"
            await pilot.pause(0.1)
        run = deck.flow_runs.create(deck.flows.find("code-census"), {"limit": 120})
        while deck.flow_runs.find(run.id).task_counts.completed < 10:
            assert asyncio.get_running_loop().time() < deadline, "the run did not get going in time"
            await pilot.pause(0.05)
        await pilot.press("1", "g")
        await pilot.pause(0.6)
        await pilot.press("right")
        await pilot.pause(0.6)
        picture = app.export_screenshot(title="flowdeck sample_flows")
        with contextlib.suppress(RefusedError):  # it may be over by now
            deck.flow_runs.cancel(run.id, force=True)
        deck.engine.stop()
        deck.close()
    return picture


def main(target: Path) -> None:
    """Run some samples in a home of their own, then take the picture."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["FLOWDECK_HOME"] = home
        for sample in ("flaky", "hello", "etl"):
            subprocess.run([sys.executable, str(SAMPLES / f"{sample}.py")], capture_output=True, check=False, cwd=home)
        picture = asyncio.run(_photograph(home))
    # Fonts would be fetched from the network by whoever looks at it; the viewer's own will do.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    target.write_text("\n".join(line.rstrip() for line in picture.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Peak memory and processor time of runs: of supervised ones by their host, of scripts by themselves."""

from __future__ import annotations

import json

from flowdeck.rules.runs.resource_use import ResourceUse
from flowdeck.rules.states import StateType
from tests.support.live_home import LiveHome

BUSY = "sum(range(12_000_000))"
HUNGRY = "len(bytearray(b'x' * (120 << 20)))"


def test_uses_add_up() -> None:
    """Processor time is a sum, the peak is that of the largest; of a later part only the time is less."""
    both = ResourceUse(100, 1.5).plus(ResourceUse(300, 0.1))
    assert both == ResourceUse(300, 1.6)
    assert both.since(ResourceUse(200, 0.6)) == ResourceUse(300, 1.0)
    assert str(ResourceUse(21_500_000, 0.456)) == "peak memory 22 MB, CPU 0.46 s"


def test_run_has_the_use_of_its_whole_tree(live: LiveHome) -> None:
    """A subprocess, and an orphan that it left behind, count as the flow process does; a retry begins anew."""
    run = live.create(f"""
        @flow
        def main():
            subprocess.run([sys.executable, "-c", "{HUNGRY}"], check=True)
            script = '"$0" -c "{BUSY}" > /dev/null & echo $!'
            orphan = int(subprocess.run(["sh", "-c", script, sys.executable], stdout=subprocess.PIPE).stdout)
            while os.path.exists(f"/proc/{{orphan}}"): time.sleep(0.01)
            sys.stdout.write(f"{{time.process_time()}}\\n")
        """)
    assert live.start_host(run).wait(60) == 0
    done = live.now(run)
    assert done.state_type is StateType.COMPLETED
    assert 120 << 20 < (done.peak_rss_bytes or 0) < 1 << 30
    own_seconds = float(live.messages(run, "stdout")[0])
    assert own_seconds + 0.1 < (done.cpu_seconds or 0.0) < 30.0
    live.deck.flow_runs.retry(run.id, completed=True)
    assert (live.now(run).peak_rss_bytes, live.now(run).cpu_seconds) == (None, None)


def test_killed_run_has_it_too(live: LiveHome) -> None:
    """A crash loses nothing of it."""
    run = live.create(f"""
        @flow
        def main():
            {BUSY}
            os.kill(os.getpid(), signal.SIGKILL)
        """)
    live.start_host(run).wait(30)
    crashed = live.now(run)
    assert crashed.state_type is StateType.CRASHED
    assert (crashed.peak_rss_bytes or 0) > 1 << 20
    assert (crashed.cpu_seconds or 0.0) > 0.05


def test_script_records_its_own_use(live: LiveHome) -> None:
    """Of each of its flows the processor time since that began, with what it waited for; inspect shows it, ls not."""
    script = live.start_script(f"""
        @flow
        def busy():
            {BUSY}
            subprocess.run([sys.executable, "-c", "{HUNGRY}"], check=True)

        @flow
        def idle():
            below()

        @flow
        def below(): pass

        busy()
        idle()
        """)
    assert script.wait(60) == 0
    runs = {run.flow_name: run for run in live.all_runs()}
    assert (runs["busy"].peak_rss_bytes or 0) > 120 << 20
    busy_seconds, idle_seconds = runs["busy"].cpu_seconds, runs["idle"].cpu_seconds
    assert busy_seconds is not None
    assert idle_seconds is not None
    assert busy_seconds > 0.1
    assert idle_seconds < busy_seconds
    assert (runs["below"].peak_rss_bytes, runs["below"].cpu_seconds) == (None, None)

    inspected = json.loads(live.command("flow-run", "inspect", runs["busy"].id, "--json").stdout)
    assert (inspected["peak_rss_bytes"], inspected["cpu_seconds"]) == (runs["busy"].peak_rss_bytes, busy_seconds)
    assert "Peak memory" in live.command("flow-run", "inspect", runs["busy"].id).stdout
    assert "peak_rss_bytes" not in json.loads(live.command("flow-run", "ls", "--json").stdout)[0]

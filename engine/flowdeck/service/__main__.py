"""An engine as a process: `python -P -m flowdeck.service --started-by tui|cli|server [--folder FOLDER] [--patient]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flowdeck.service.engine import main


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flowdeck.service", description="Serve a flowdeck home.")
    parser.add_argument("--started-by", choices=("tui", "cli", "server"), default="server")
    parser.add_argument("--folder", type=Path, help="a folder of flows to watch from now on")
    parser.add_argument("--patient", action="store_true", help="wait while another engine serves the home")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    sys.exit(main(arguments.started_by, arguments.folder, patient=arguments.patient))

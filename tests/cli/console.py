"""The console script, for tests that need a process of their own: `python -m tests.cli.console WORDS`."""

import sys

from flowdeck.cli import main

if __name__ == "__main__":
    sys.exit(main())

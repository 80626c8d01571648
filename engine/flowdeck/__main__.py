"""`python -m flowdeck`: the same as the command `flowdeck`."""

import sys

from flowdeck.cli import main

if __name__ == "__main__":
    sys.exit(main())

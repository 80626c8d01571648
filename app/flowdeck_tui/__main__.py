"""`python -m flowdeck_tui [FOLDER]`."""

import sys

from flowdeck_tui.launch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))

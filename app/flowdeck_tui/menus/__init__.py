"""What opens over the panes to choose from: help, palette, jump list, copy menu."""

"""What opens over the panes and takes the whole keyboard: forms and menus."""

"""The terminal below the widgets: what it shows, cell by cell; clipboard, editor, other programs."""

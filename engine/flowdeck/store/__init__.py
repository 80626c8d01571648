"""The home folder: the only SQL and the only file formats of flowdeck."""

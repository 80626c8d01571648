"""The numbered panes, one file each, and the log panel that Runs carries."""

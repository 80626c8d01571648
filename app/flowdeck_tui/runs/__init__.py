"""Pane Runs: the list, the opened run, and the rows of both."""

"""Pane Flows."""

"""Widgets, one file each: they draw what they are given, and know neither Deck nor actions."""

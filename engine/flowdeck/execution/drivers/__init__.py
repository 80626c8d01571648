"""Drivers: what the engine body awaits, for threads, event loops and generators."""

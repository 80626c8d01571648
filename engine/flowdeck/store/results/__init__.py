"""Recorded and cached results: which rows name them, and the files in which they lie."""

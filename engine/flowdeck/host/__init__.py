"""What stands between an engine and user code: the run host and the flow process."""

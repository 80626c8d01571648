"""What is recorded of a run and by whom: facts, recorders, results, replay, failures."""

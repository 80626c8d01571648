"""What a running engine does: discovery, worker, supervisor. It never imports user code."""

"""How a run begins in this process: called by a script or a flow, claimed for an engine, or a task alone."""

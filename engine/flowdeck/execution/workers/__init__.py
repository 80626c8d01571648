"""Worker processes: the flow's side of them, and the stream over which they record."""

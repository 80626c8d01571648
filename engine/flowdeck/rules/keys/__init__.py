"""Keys of calls and of cached results: what stands for a task, its inputs and their content."""

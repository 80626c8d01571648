"""A call and what it is made of: context, arguments, futures, cache key, and where its function is called."""

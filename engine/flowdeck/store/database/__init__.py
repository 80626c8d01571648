"""state.db itself: connections, schema, migrations, the change feed, and what protects its locks."""

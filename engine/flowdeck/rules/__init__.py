"""Pure values and decisions: no file, no process, no database, nothing outside the standard library."""

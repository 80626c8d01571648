"""What an author may declare of a flow or task: options, their checks, and the specs that they make."""

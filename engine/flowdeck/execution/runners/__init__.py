"""Task runners: what runs the submitted calls of a flow run."""

"""From the author's code to the log of its run."""

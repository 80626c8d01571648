"""What is said and decided of runs: ids, names, order, filter, limits, and the reason why one waits."""

"""What authors register on runs: hooks, names made by functions, and the views that these are handed."""

"""Transactions: the tree, what a task call is in it, and the keys under which one is kept."""

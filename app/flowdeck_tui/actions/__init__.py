"""The one table of actions, the rules for keys, and what the focus stands for."""

"""The log of a run on the screen: its panel, keys and outlets, and the widgets that draw it."""

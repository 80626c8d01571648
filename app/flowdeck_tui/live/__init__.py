"""What connects the screen with Deck: the pump, commands, and the messages that carry their results."""

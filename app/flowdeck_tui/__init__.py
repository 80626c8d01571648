"""The terminal face of flowdeck: a Textual app over `flowdeck.deck`."""

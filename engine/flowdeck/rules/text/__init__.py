"""Text from and for people: terminal-safe text, moments and durations as typed, near names, patterns, previews."""

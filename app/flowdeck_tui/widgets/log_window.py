"""Which lines of a growing log are on the screen. Pure.

A paused view never moves by itself: its place is the number of a line, and lines are only added at the end.
"""

from __future__ import annotations

Place = tuple[int, bool, bool]
"""First line on the screen, whether the view follows, whether it was told not to."""


class LogWindow:
    """The part of a log that is looked at.

    While it follows, new lines fill the page; when it is full, `jumps` makes the view move by half a page at once:
    on a slow line that costs a fraction of moving with every line.
    """

    def __init__(self, *, jumps: bool = True) -> None:
        self.jumps = jumps
        self.top = 0
        """Number of the first line on the screen."""
        self.height = 0
        self.count = 0
        """Lines of the log."""
        self.follows = True
        self._is_held = False  # stopped by the user's word: then arriving at the end does not start it again

    @property
    def stop(self) -> int:
        """Number of the line behind the last one on the screen."""
        return min(self.count, self.top + self.height)

    @property
    def below(self) -> int:
        """How many lines lie below the screen."""
        return max(0, self.count - self.top - self.height)

    @property
    def thumb(self) -> tuple[int, int]:
        """Rows `[first, stop)` of a scroll bar of the view's height that stand for what is on the screen."""
        if self.count <= self.height or not self.height:
            return 0, self.height
        size = max(1, self.height * self.height // self.count)
        first = min(self.top, self._last_top) * (self.height - size) // self._last_top
        return first, first + size

    @property
    def _last_top(self) -> int:
        return max(0, self.count - self.height)

    def restart(self, count: int) -> None:
        """Look at another log, at its end."""
        self.count = count
        self.top = self._last_top
        self.follows, self._is_held = True, False

    def resize(self, height: int) -> None:
        """Change how many lines fit."""
        self.height = max(0, height)
        self.top = self._last_top if self.follows else min(self.top, self._last_top)

    def grow(self, count: int) -> None:
        """Take note of lines that were added."""
        added, self.count = count - self.count, count
        if not self.follows or not self.below:
            return
        half = (self.height + 1) // 2
        shown = half if self.jumps and added < half else self.height
        self.top = max(0, count - shown)

    def scroll(self, lines: int) -> None:
        """Move by lines, up when negative. Up stops following; down to the end starts it again."""
        if lines < 0:
            if self.top > 0:
                self.follows = False
                self.top = max(0, self.top + lines)
        elif not self.follows:
            self.top = max(self.top, min(self.top + lines, self._last_top))
            if not self.below and not self._is_held:
                self.follows = True

    def go_top(self) -> None:
        """Move to the first line."""
        self.scroll(-self.top)

    def go_bottom(self) -> None:
        """Move to the last line and follow."""
        self.restart(self.count)

    def toggle_follow(self) -> None:
        """Stay where it is, or go to the end and follow."""
        if self.follows:
            self.follows, self._is_held = False, True
        else:
            self.go_bottom()

    def place(self) -> Place:
        """Return where it is, to come back to."""
        return self.top, self.follows, self._is_held

    def go_back_to(self, place: Place) -> None:
        """Be where it was: at the same line, or following."""
        top, follows, is_held = place
        if follows and not self.follows:
            self.go_bottom()
        elif not follows:
            self.top, self.follows, self._is_held = min(top, self._last_top), False, is_held

    def reveal(self, line: int) -> None:
        """Bring a line on the screen, with some lines above it, and stay there."""
        self.follows = False
        if not self.top <= line < self.top + self.height:
            self.top = max(0, min(line - self.height // 3, self._last_top))

"""Rows made of nothing, as many as a test wants."""

from __future__ import annotations

from flowdeck_tui.text.row_source import Cell, Row, RowKey


class NumberRows:
    """Rows named by numbers, newest (highest) first, that tests add and take away."""

    def __init__(self, count: int) -> None:
        self.numbers = list(range(count, 0, -1))
        self.texts: dict[int, str] = {}
        self.asked = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def key(self, index: int) -> RowKey:
        return ("n", self.numbers[index])

    def index(self, key: RowKey) -> int | None:
        return self.numbers.index(int(key[1])) if key[1] in self.numbers else None

    def row(self, index: int) -> Row:
        self.asked += 1
        number = self.numbers[index]
        return Row(("n", number), {"name": Cell(f"row {number}"), "text": Cell(self.texts.get(number, ""))})

    def add(self, count: int = 1) -> None:
        first = max(self.numbers, default=0) + 1
        self.numbers[:0] = range(first + count - 1, first - 1, -1)

"""Results as bytes and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from flowdeck.rules.exceptions import DefinitionError
from flowdeck.rules.keys.bounded_bytes import BoundedBuffer, TooLargeError
from flowdeck.rules.options.serializers import (
    PICKLE,
    CompressedSerializer,
    JSONSerializer,
    from_bytes,
    serializer_of,
    to_bytes,
)

LIMIT = 1 << 20
NAMED = ["pickle", "json", "compressed", "compressed/pickle", "compressed/json"]


@dataclass
class Point:
    x: int


class Reversed:
    """A serializer of an author's own."""

    type = "reversed"

    def dumps(self, value: Any, limit: int) -> bytes:
        del limit
        return value[::-1].encode()

    def loads(self, content: bytes, names: object) -> str:
        del names
        return content.decode()[::-1]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("value", [None, 1, 2.5, "snö", [1, {"a": None}], "x" * 100_000, ""])
def test_values_come_back(name: str, value: object) -> None:
    """Through every serializer that has a name."""
    serializer = serializer_of(name, "task 't'")
    assert from_bytes(to_bytes(value, serializer, LIMIT), serializer, {}) == value


def test_reader_needs_no_word_of_the_author() -> None:
    """What is recorded says how it was made: the option may have changed since."""
    content = to_bytes([1, 2], CompressedSerializer("json"), LIMIT)
    assert content.startswith(b"compressed/json\n")
    assert from_bytes(content, PICKLE, {}) == [1, 2]


def test_serializer_of_an_author() -> None:
    """Any object with type, dumps and loads; without it the bytes cannot be read."""
    own = serializer_of(Reversed(), "task 't'")
    content = to_bytes("abc", own, LIMIT)
    assert content == b"reversed\ncba"
    assert from_bytes(content, own, {}) == "abc"
    with pytest.raises(DefinitionError, match="has no serializer 'reversed'"):
        from_bytes(content, PICKLE, {})


@pytest.mark.parametrize("given", ["pickles", 3, object()])
def test_wrong_serializer_is_named(given: object) -> None:
    """With the task, and what would be right."""
    with pytest.raises(DefinitionError, match="task 't'"):
        serializer_of(given, "task 't'")


@pytest.mark.parametrize("value", ["x" * 2000, b"x" * 2000, [("y" * 50) + str(n) for n in range(100)]])
@pytest.mark.parametrize("serializer", [PICKLE, JSONSerializer()])
def test_limit(serializer: Any, value: Any) -> None:
    """Too many bytes are refused before they are kept."""
    if isinstance(value, bytes) and serializer is not PICKLE:
        return
    with pytest.raises(TooLargeError):
        to_bytes(value, serializer, 1000)


def test_what_pickle_cannot_name_goes_by_value() -> None:
    """A function made inside of another one, say."""
    base = 40
    content = to_bytes(lambda number: number + base, PICKLE, LIMIT)
    assert from_bytes(content, PICKLE, {})(2) == 42


def test_class_of_a_script_is_found_in_its_module() -> None:
    """A script records as `__main__`; its retry imports the same file under another name."""
    content = to_bytes(Point(3), PICKLE, LIMIT).replace(Point.__module__.encode(), b"__main__")
    # The length of the name stands before it in the pickle.
    before = b"\x8c" + bytes([len(Point.__module__)])
    content = content.replace(before + b"__main__", b"\x8c\x08__main__")
    frame_at = content.index(b"\x95") + 1
    size = len(content) - frame_at - 8
    content = content[:frame_at] + size.to_bytes(8, "little") + content[frame_at + 8 :]
    assert from_bytes(content, PICKLE, {"Point": Point}) == Point(3)


def test_buffer_refuses_before_it_copies() -> None:
    """A view of a gigabyte costs nothing."""
    buffer = BoundedBuffer(10)
    buffer.write(b"12345")
    with pytest.raises(TooLargeError):
        buffer.write(memoryview(b"123456"))
    assert buffer.content() == b"12345"

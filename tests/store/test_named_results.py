"""Results under names of the author's."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdeck.store.results.result_files import NAMED, ResultFiles


@pytest.mark.parametrize("name", ["x" * 300, "a_folder"], ids=["too long", "of a folder"])
def test_name_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """The refusal is the file system's; the draft of the link is gone."""
    files = ResultFiles(tmp_path)
    files.keep_named(b"first", "a_folder/inside")
    with pytest.raises(OSError, match=r"long|directory"):
        files.keep_named(b"second", name)
    assert [path.name for path in (tmp_path / NAMED).iterdir()] == ["a_folder"]
    files.keep_named(b"second", "fine")
    assert (tmp_path / NAMED / "fine").read_bytes() == b"second"

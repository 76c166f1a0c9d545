"""The line that keeps Quarterdeck's own folder out of a repository's status."""

from __future__ import annotations

from pathlib import Path

from executors.git.repository import common_dir

LINE = ".quarterdeck/"


def exclude(root: Path) -> None:
    """List Quarterdeck's folder in the repository's private exclude file, once."""
    path = common_dir(root) / "info" / "exclude"
    text = path.read_text(errors="surrogateescape") if path.exists() else ""
    if LINE in text.splitlines():
        return
    path.parent.mkdir(exist_ok=True)
    with path.open("a", errors="surrogateescape") as exclude_file:
        exclude_file.write(f"{'' if not text or text.endswith(chr(10)) else chr(10)}{LINE}\n")

"""What the documentation tells people to type is understood by the command line, and its links lead somewhere."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from supervisor.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("deploy/*.md")]
)
_LINE = re.compile(r"^ {4}(?:\$ )?((?:quarterdeck|qd)\b.*)$", re.MULTILINE)
_INLINE = re.compile(r"`((?:quarterdeck|qd) [a-z][^`…]*)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def typed(document: Path) -> list[str]:
    """Return the command lines that a document shows on lines of their own."""
    return [line.rstrip() for line in _LINE.findall(document.read_text())]


def named(document: Path) -> list[str]:
    """Return the commands that a document's sentences name, often without their arguments."""
    return _INLINE.findall(document.read_text())


def parse(line: str) -> None:
    """Let the command line parse a line without running it."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    command: click.Command = cli
    context = click.Context(cli, info_name="quarterdeck")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command = found
        context = click.Context(command, info_name=name, parent=context)
    command.make_context("quarterdeck", words)


def each(found: Callable[[Path], list[str]]) -> list[tuple[str, str]]:
    return [(path.relative_to(ROOT).as_posix(), line) for path in DOCUMENTS for line in dict.fromkeys(found(path))]


@pytest.mark.parametrize(("document", "line"), each(typed))
def test_a_documented_command_line_is_understood(document: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize(("document", "line"), each(named))
def test_a_command_that_is_named_exists(document: str, line: str) -> None:
    with contextlib.suppress(click.MissingParameter):
        parse(line)


def test_a_command_line_that_is_wrong_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        parse("quarterdeck sessions logs fix --follw")
    with pytest.raises(AssertionError):
        parse("quarterdeck sessions lgs fix")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    missing = [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert missing == []


def test_the_index_names_every_document() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in _LINK.findall(index.read_text())}
    documents = {path.resolve() for path in (ROOT / "docs").rglob("*.md")} - {index.resolve()}
    assert documents - linked == set()


def test_every_command_is_in_the_user_guide_or_the_notes_for_authors() -> None:
    shown = " ".join(path.read_text() for path in DOCUMENTS)
    missing = [name for name in COMMANDS if f"quarterdeck {name}" not in shown]
    assert missing == []

from __future__ import annotations

import pytest

from supervisor.engine.policy.candidates import candidates
from supervisor.engine.policy.patterns import PathName, lies_within, matches_path, matches_text, named, resolved
from supervisor.engine.policy.words import UNKNOWN, Word


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("a/../b", "/w/p", "./b"),
        ("..", "/w/p", "/w"),
        (".", "/w/p", "."),
        ("/w/p/x", "/", "./x"),
        ("/w/p2", "/", "/w/p2"),
        ("~", "/", "~"),
        ("~/../x", "/", "/home/x"),
        ("//etc//passwd", "/", "/etc/passwd"),
        ("/../..", "/", "/"),
    ],
)
def test_every_path_has_one_name(path: str, folder: str, expected: str) -> None:
    absolute = resolved(path, folder, "/home/dev")
    assert absolute is not None
    assert named(absolute, "/w/p", "/home/dev") == expected


@pytest.mark.parametrize("path", ["~root/x", "~+", "a\0b"])
def test_an_unknown_path_has_no_name(path: str) -> None:
    assert resolved(path, "/", "/home/dev") is None


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("./**", ".", True),
        ("./**", "./a/b", True),
        ("./**", "~/a", False),
        ("./**", "/a", False),
        ("**/.env", "./.env", True),
        ("**/.env", "~/x/.ENV", True),
        ("**/.env", "./.env/x", False),
        ("**/.ssh/**", "~/.ssh", True),
        ("/**", "/", True),
        ("/**", "~/x", False),
        ("/*", "/etc", True),
        ("/*", "/", False),
        ("**", "/", True),
        ("./*.py", "./a.py", True),
        ("./*.py", "./a/b.py", False),
        ("/", "/", True),
    ],
)
def test_path_patterns(pattern: str, name: str, expected: bool) -> None:
    assert matches_path(pattern, PathName(name)) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("**/.env", "./.e*", True),
        ("**/.env", "./*", False),
        ("**/.gitlab-ci.yml", "./*.yml", False),
        ("**/id_rsa*", "./id_*", True),
        ("**/*.pem", "./*.pem", True),
        ("**/*.pem", "./*.py", False),
        ("**/secrets.*", "./*.py", False),
        ("**/.ssh/**", "~/.ssh/*", True),
        ("/*", "/*", True),
    ],
)
def test_what_globs_may_lead_to(pattern: str, name: str, expected: bool) -> None:
    assert matches_path(pattern, PathName(name, globbed=True)) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("./**", "./src/*.py", True),
        ("./**", "./*", True),
        ("./src/**", "./*", False),
        ("./src/*", "./src/*", False),
        ("/**", "/*", True),
        ("./**", "/*", False),
        ("**", "/*", True),
    ],
)
def test_globs_lie_within_when_their_folder_does(pattern: str, name: str, expected: bool) -> None:
    assert lies_within(pattern, PathName(name, globbed=True)) is expected


def test_text_patterns_know_only_the_star() -> None:
    assert matches_text("a*c", "a/b\nc")
    assert matches_text("a?", "a?")
    assert not matches_text("a?", "ab")
    assert not matches_text("a", "A")
    assert matches_text("*", "")
    assert matches_text("a*bc*c", "abcc")
    assert not matches_text("a*a", "a")
    assert not matches_text("a*bc*c", "abc")
    assert not matches_text("*b*a*", "ab")
    assert not matches_text("*aba*aba*", "ababa")


def test_a_long_text_is_gone_through_once() -> None:
    """With a search that goes back, this would take longer than anybody waits."""
    assert not matches_text("*a*a*a*a*a*b", "a" * 1_000_000)
    assert not matches_text("*a*a*a*a*b*a*", "a" * 1_000_000)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a/b", ["a/b"]),
        ("-rf", []),
        ("-I../x", ["../x", "/x"]),
        ("-o/etc/x", ["/etc/x"]),
        ("--file=/etc/x", ["/etc/x"]),
        ("if=/dev/sda", ["if=/dev/sda", "/dev/sda"]),
        ("HEAD:a/b", ["HEAD:a/b", "a/b"]),
        ("https://x/y", ["https://x/y"]),
        ("file:///etc/x", ["file:///etc/x", "/etc/x"]),
        ("@/etc/x", ["@/etc/x", "/etc/x"]),
        ("data=@~/x", ["data=@~/x", "@~/x", "~/x"]),
        ("", []),
    ],
)
def test_what_in_a_word_may_be_a_path(word: str, expected: list[str]) -> None:
    assert [text for text, _ in candidates(Word(word))] == expected


def test_an_unknown_word_names_no_path() -> None:
    assert candidates(UNKNOWN) == []

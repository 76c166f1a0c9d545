"""Bash itself reads lines as the reference does: what it prints of a line is taken apart like the line.

No line runs: bash reads the line as the body of a function and prints that function in its own normal form. Lines whose
normal form says something else are left out: here-documents, `time` and `!` together, words like `}` that are
special only when bash prints them first.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.policy import shell
from tests.policy.cases import HOME, WORKTREE, Cases
from tests.policy.parts import Act, CommandPart, LinePart, Part, Taken, take_apart
from tests.policy.patterns import Place

_LINES = 400
_SEED = 7


def _parts(line: str) -> list[Part]:
    act = Act("execute", "Bash", WORKTREE, WORKTREE, command=line)
    return [part for part in take_apart(act, HOME) if not isinstance(part, LinePart)]


def _printed(line: str) -> str | None:
    """The line in bash's normal form; None when bash does not take it."""
    function = f"printed() {{\n{line}\n}}\n"
    run = subprocess.run(
        ["/bin/bash", "--norc", "-c", "source /dev/stdin; declare -f printed"],
        input=function.encode(),
        capture_output=True,
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"},
        check=False,
        timeout=10,
    )
    return run.stdout.decode().split("\n", 2)[2].rsplit("\n}", 1)[0] if run.returncode == 0 else None


def _comparable(line: str) -> bool:
    return not any(word in line for word in ("<<", "nproc", "time", "\\\n"))


def _readable(line: str) -> bool:
    try:
        return bool(shell.read(line))
    except shell.Unreadable:
        return False


def test_bash_reads_lines_in_the_same_way() -> None:
    cases = Cases(_SEED, 1)
    compared = 0
    while compared < _LINES:
        line = cases.line()
        if not _comparable(line) or not _readable(line):
            continue
        printed = _printed(line)
        if printed is None or not _readable(printed):
            continue
        compared += 1
        assert _parts(printed) == _parts(line), line


def _known(word: str) -> str | None:
    """What the reference says a word is; None when it is unknown, runs something or is no single word."""
    try:
        (command,) = shell.read(f"show {word}")
    except (shell.Unreadable, ValueError):
        return None
    if not isinstance(command, shell.Simple) or len(command.words) != 2 or command.redirections:
        return None
    if any(isinstance(piece, shell.Hidden) for piece in command.words[1].pieces):
        return None
    taken = Taken(Act("execute", "Bash", WORKTREE, WORKTREE), Place(HOME, WORKTREE), folders=[WORKTREE])
    term = taken.term(command.words[1])
    return None if term is None else term.text


def _plain(word: str) -> bool:
    """Whether the word is the same wherever it is expanded, and has no tilde that only one of the two takes."""
    return not any(part in word for part in ("$$", "&", "=~", "/e*/", "../", "~''", '~""', "\n"))


def test_bash_expands_known_words_to_the_same_text(tmp_path: Path) -> None:
    cases = Cases(_SEED, 1)
    words: list[tuple[str, str]] = []
    while len(words) < 2_000:
        word = cases.word(9) if cases.chance(0.5) else cases.damaged(cases.word(9) + cases.word(9))
        known = _known(word) if _plain(word) else None
        if known is not None:
            words.append((word, known))
    script = f"show() {{ printf '%s\\0' \"$1\"; }}\nPWD={WORKTREE}\n" + "".join(
        f"true; show {one[0]}\n" for one in words
    )
    run = subprocess.run(
        ["/bin/bash", "--norc", "-s"],
        input=script.encode(),
        capture_output=True,
        cwd=tmp_path,
        env={"HOME": HOME, "PATH": "/nonexistent", "LC_ALL": "C.UTF-8"},
        check=True,
        timeout=30,
    )
    expanded = run.stdout.decode().split("\0")[:-1]
    assert [(word, text) for (word, _), text in zip(words, expanded, strict=True)] == words


def test_a_word_joined_to_a_closed_descriptor_runs() -> None:
    """`>&-rm x` is the redirection `>&-` and the command `rm x`: such lines are not read."""
    printed = _printed(">&-rm x")
    assert printed is not None
    assert printed.split() == ["rm", "x", "1>&-"]
    assert not _readable(">&-rm x")
    assert any(isinstance(part, CommandPart) and part.programs == ("rm",) for part in _parts(printed))

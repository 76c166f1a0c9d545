"""Git as it is always called: pinned, without a shell, with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from executors.git import leftover
from supervisor.model.errors import NotFound, QuarterdeckError, Unavailable

DEADLINE_S = 600.0
"""Long enough for a checkout of a large repository on a slow disk."""

LOCK_PATIENCE_S = 3.0
"""How long somebody else's lock file is waited for before it is reported."""

_PINNED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "gc.auto=0",  # a collector that outlives the call would keep our lock
    "maintenance.auto=false",
    "merge.autoStash=false",  # a person's stash is never touched
    "commit.gpgSign=false",  # nobody is there to unlock a key
    "submodule.recurse=false",
    "checkout.workers=2",
)

_HALF_MADE = re.compile(r"failed to read \S*worktrees/[^/]+/commondir")

# Everything else that begins with GIT_ could point git at another repository, index or configuration.
_PASSED = (
    *("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSH", "GIT_LFS_", "GIT_EXEC_PATH"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git process said."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Its output; bytes that are not UTF-8 survive as surrogates, as in paths."""
        return os.fsdecode(self.out)

    @property
    def complaint(self) -> str:
        """The line of stderr that says what is wrong, without its prefix."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
        return telling[0].removeprefix("fatal: ").removeprefix("error: ") if telling else f"exit {self.code}"


def environment() -> dict[str, str]:
    """Return the caller's environment without what would steer git somewhere else."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_PASSED)}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


async def ask(
    where: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    config: Sequence[str] = (),
    safe: Path | None = None,
    reads: bool = False,
    keep: Sequence[int] = (),
    deadline_s: float = DEADLINE_S,
    out: int | None = None,
) -> Answer:
    """Run git in ``where`` and return what it said, whatever its exit code.

    ``config`` are further ``key=value`` pairs, ``safe`` the worktree that may belong to somebody else
    (``where`` unless told), ``reads`` that no lock may be taken, and ``keep`` descriptors that the
    process inherits: a lock among them is held until git itself is gone, also when we die first. With a descriptor
    ``out`` what git puts out goes there.

    Raises Unavailable without git, NotFound without ``where``, QuarterdeckError after ``deadline_s`` seconds.
    """
    settings = (*_PINNED, f"safe.directory={safe or where}", *config)
    command = [part for setting in settings for part in ("-c", setting)]
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *command,
            *map(str, arguments),
            cwd=where,
            env=environment() | ({"GIT_OPTIONAL_LOCKS": "0"} if reads else {}) | dict(env or {}),
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if out is None else out,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
            pass_fds=tuple(keep),
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if error.filename == "git":
            raise Unavailable("git is not installed.", hint="Install git 2.38 or newer.") from error
        raise NotFound(
            f"The folder {where} cannot be entered: {error.strerror}.",
            hint="It was moved or removed; `git worktree list` shows where worktrees are.",
        ) from error
    try:
        async with asyncio.timeout(deadline_s):
            said, err = await process.communicate(stdin or None)
    except TimeoutError:
        raise QuarterdeckError(
            f"git {arguments[0]} in {where} was stopped after {deadline_s:g} s.",
            hint="Is the disk or the network slow? Try the command by hand.",
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Answer(process.returncode or 0, said or b"", err.decode(errors="replace"))


async def git(
    where: Path,
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    config: Sequence[str] = (),
    reads: bool = False,
    keep: Sequence[int] = (),
) -> str:
    """Run git as `ask` does and return its output; any exit code but 0 is an error in git's own words.

    A lock file that a dead git left behind is removed; one that is in use is waited for, then reported. So
    is a worktree that is just being added: git reads all of them, and fails at one whose files are empty yet.
    """
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        answer = await ask(where, *arguments, stdin=stdin, env=env, config=config, reads=reads, keep=keep)
        if answer.code == 0:
            return answer.text
        if _HALF_MADE.search(answer.err) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            continue
        lock = leftover.named_in(answer.err, where)
        if lock is None:
            raise failure(where, arguments[0], answer)
        cleared = await asyncio.to_thread(leftover.clear, lock)
        if time.monotonic() > deadline:
            raise await asyncio.to_thread(leftover.refusal, lock)
        if not cleared:
            await asyncio.sleep(0.05)


def failure(where: Path, command: str | Path, answer: Answer) -> QuarterdeckError:
    """Return the error for an answer, in git's own words unless the repository of a worktree is gone."""
    missing = _missing_repository(where)
    if missing is not None:
        return QuarterdeckError(
            f"The repository of {where} is gone: {missing} was moved or removed.",
            hint=f"Put it back; or, in the folder that it was moved to: git worktree repair '{where}'.",
        )
    return QuarterdeckError(
        f"git {command} failed: {answer.complaint.rstrip('.')}.",
        hint=f"`git -C '{where}' status` shows the state of the repository.",
    )


def _missing_repository(worktree: Path) -> Path | None:
    """Return the repository that a linked worktree points to, when nothing is there."""
    try:
        pointer = (worktree / ".git").read_text().removeprefix("gitdir:").strip()
    except (OSError, ValueError):
        return None  # No linked worktree: a repository has a folder there.
    folder = worktree / pointer
    linked = folder.parts[-3:-1] == (".git", "worktrees")
    return folder.parents[2] if linked and not folder.exists() else None

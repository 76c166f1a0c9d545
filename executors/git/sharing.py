"""A session's branch for others: pushed to a remote, or written to a bundle."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from executors.git.repository import HEADS
from executors.git.run import Answer, ask, failure, git
from supervisor.engine.ports.workspaces import BundleResult, PushChange, PushResult
from supervisor.model.errors import InvalidInput, NotFound, Refused, Unavailable

PUSH_DEADLINE_S: Final = 300.0

MESSAGE_LINES: Final = 20
"""Lines of what the remote says that are kept."""

_NOBODY_ANSWERS: Final = {
    "GIT_ASKPASS": "",  # empty, not unset: neither core.askPass nor a dialog of the desktop is asked
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "force",  # `false` refuses what ssh would ask at a terminal that nobody looks at
    "GCM_INTERACTIVE": "never",
}

_CHANGES: Final[dict[str, PushChange]] = {"*": "created", " ": "updated", "=": "unchanged"}

_BRACKETS = re.compile(r"\((.+)\)$")
_URL_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


async def push(root: Path, branch: str, base_commit: str, remote: str | None) -> PushResult:
    """Push a branch to the branch of the same name, never forced; what the remote refuses is in the result.

    Raises Refused without a remote or without commits since the base, NotFound for an unknown remote, and
    Unavailable when the remote cannot be reached or wants credentials that nobody can give here.
    """
    target = await _remote(root, remote)
    commit, _ = await _commits(root, branch, base_commit)
    ref = f"{HEADS}{branch}"
    answer = await ask(
        root,
        *("push", "--porcelain", "--no-verify", "--signed=no", "--no-follow-tags", "--recurse-submodules=no"),
        *("--end-of-options", target, f"{ref}:{ref}"),
        env=_NOBODY_ANSWERS,
        config=("credential.interactive=false",),
        deadline_s=PUSH_DEADLINE_S,
    )
    messages = _messages(answer)
    flag, reason = _outcome(answer.out.decode(errors="replace"), ref)
    if flag == "!":
        return PushResult(pushed=False, remote=target, commit=commit, detail=reason, messages=messages)
    if answer.code != 0 or flag not in _CHANGES:
        raise Unavailable(
            f"{branch} was not pushed to {target}: {_URL_SECRET.sub('', answer.complaint).rstrip('.')}.",
            hint=f"Nobody can be asked for a password here. Does `git -C '{root}' push --dry-run {target} {branch}` "
            "work without asking?",
        )
    return PushResult(
        pushed=True, remote=target, commit=commit, change=_CHANGES[flag], detail=reason, messages=messages
    )


async def follow(root: Path, branch: str, remote: str) -> None:
    """Make a pushed branch the upstream of the local one."""
    await git(root, "config", f"branch.{branch}.remote", remote)
    await git(root, "config", f"branch.{branch}.merge", f"{HEADS}{branch}")


async def bundle(root: Path, branch: str, base_commit: str, path: Path) -> BundleResult:
    """Write the commits of a branch since its base to a new file that `git fetch` and `git clone` can read.

    Raises Refused when the file exists or cannot be made, or when there are no commits.
    """
    commit, commits = await _commits(root, branch, base_commit)
    await asyncio.to_thread(_reserve, path)
    try:
        # Git puts its finished file in the place of the empty one.
        await git(root, "bundle", "create", "--quiet", path, f"{base_commit}..{HEADS}{branch}")
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise
    size = (await asyncio.to_thread(path.stat)).st_size
    return BundleResult(path=path, commit=commit, commits=commits, size=size)


def _reserve(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError as error:
        raise Refused(f"{path} exists already; it is not overwritten.", hint="Give another path.") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"There is no folder {path.parent}.", hint="Make it first, or give another path.") from error
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.", hint="Give another path.") from error


async def _remote(root: Path, wanted: str | None) -> str:
    """Return the remote to push to: the one that is wanted, else origin, else the only one."""
    known = (await git(root, "remote", reads=True)).split()
    if not known:
        raise Refused(
            f"The repository {root} has no remote to push to.",
            hint=f"`git -C '{root}' remote add origin URL` adds one.",
        )
    if wanted is not None:
        if wanted not in known:
            raise NotFound(f"There is no remote {wanted!r}.", hint=f"Known are: {', '.join(known)}.")
        return wanted
    if "origin" in known or len(known) == 1:
        return "origin" if "origin" in known else known[0]
    raise InvalidInput("There are several remotes, and none is called origin.", hint=f"Name one: {', '.join(known)}.")


async def _commits(root: Path, branch: str, base_commit: str) -> tuple[str, int]:
    """Return a branch's commit, and how many it has since its base: Refused when none."""
    found = await ask(root, "rev-parse", "--verify", "-q", f"{HEADS}{branch}^{{commit}}", reads=True)
    if found.code != 0:
        raise NotFound(f"There is no branch {branch}.", hint="`git branch --list` shows those there are.")
    commit = found.text.strip()
    counted = await ask(root, "rev-list", "--count", f"{base_commit}..{commit}", reads=True)
    if counted.code != 0:
        raise failure(root, "rev-list", counted)
    if (count := int(counted.out)) == 0:
        raise Refused(f"{branch} has no commits since its base.", hint="Commit what the session did first.")
    return commit, count


def _outcome(said: str, ref: str) -> tuple[str, str]:
    """Return the flag and the words of the line that tells of a ref: git-push(1), "Output"."""
    for line in said.splitlines():
        flag, _, rest = line.partition("\t")
        refs, _, words = rest.partition("\t")
        if refs == f"{ref}:{ref}":
            why = _BRACKETS.search(words)
            return flag, why[1] if why else words
    return "", ""


def _messages(answer: Answer) -> tuple[str, ...]:
    lines = [line.removeprefix("remote:").strip() for line in answer.err.splitlines() if line.startswith("remote:")]
    return tuple(line for line in lines if line)[:MESSAGE_LINES]

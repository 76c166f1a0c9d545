"""Repositories: where their main worktree is, their branches, and which of these is the default."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from executors.git.run import ask, failure, git
from supervisor.engine.ports.workspaces import Repository
from supervisor.model.errors import InvalidInput, NotFound, Refused

HEADS = "refs/heads/"
DETACHED = "HEAD"
"""Stands for the default branch of a repository that has no local branch at all."""

_FORMAT = "".join(f"%({name})%00" for name in ("objectname", "refname", "symref", "HEAD", "worktreepath"))
_ORIGIN = "refs/remotes/origin/"


@dataclass(frozen=True, slots=True)
class Head:
    """A local branch: its commit, and the worktree that has it checked out."""

    commit: str
    worktree: Path | None = None


@dataclass(frozen=True, slots=True)
class Heads:
    """The local branches of a repository. ``default_commit`` is None in one without commits."""

    branches: dict[str, Head]
    default: str
    default_commit: str | None


async def inspect(path: Path) -> Repository:
    """Return the repository that holds ``path``, which may be any folder of any of its worktrees.

    Raises NotFound, InvalidInput or Refused for what sessions cannot work on.
    """
    where, top = await asyncio.to_thread(_locate, path)
    answer = await ask(
        where,
        "rev-parse",
        "--path-format=absolute",
        "--is-bare-repository",
        "--git-dir",
        "--git-common-dir",
        safe=top,
        reads=True,
    )
    if answer.code != 0 and "not a git repository" in answer.err:
        raise InvalidInput(
            f"{where} is not in a git repository.",
            hint=f"`git init '{where}'` makes one; make a first commit in it too.",
        )
    if answer.code != 0:
        raise failure(where, "rev-parse", answer)
    bare, git_dir, common = answer.text.rstrip("\n").split("\n")
    root = None if bare == "true" else await _main_worktree(Path(git_dir), Path(common), top)
    if root is None:
        raise Refused(
            f"{where} is a bare repository: it has no files to work on.",
            hint="Clone it, and add the clone.",
        )
    heads = await read_heads(root)
    if heads.default_commit is None:
        raise Refused(
            f"The repository {root} has no commits yet, so a worktree would have nothing in it.",
            hint=f"Make a first commit: `git -C '{root}' commit --allow-empty -m 'First commit'`.",
        )
    return Repository(root=root, name=root.name, default_branch=heads.default)


async def read_heads(root: Path) -> Heads:
    """Read all local branches and tell which is the default one.

    That is the branch origin's HEAD names, else ``init.defaultBranch``, ``main`` or ``master`` when they
    exist, else the one checked out in the main worktree, else the only one.
    """
    listing, initial = await asyncio.gather(
        git(root, "for-each-ref", f"--format={_FORMAT}", HEADS, f"{_ORIGIN}HEAD", reads=True),
        ask(root, "config", "--get", "init.defaultBranch", reads=True),
    )
    branches: dict[str, Head] = {}
    current = upstream = upstream_commit = None
    for commit, ref, symref, marked, worktree in _rows(listing):
        if symref.startswith(_ORIGIN):
            upstream, upstream_commit = symref.removeprefix(_ORIGIN), commit
            continue
        name = ref.removeprefix(HEADS)
        branches[name] = Head(commit, Path(worktree) if worktree else None)
        if marked == "*":
            current = name
    if upstream:
        head = branches.get(upstream)
        return Heads(branches, upstream, head.commit if head else upstream_commit)
    wanted = [initial.text.strip(), "main", "master", current, *(branches if len(branches) == 1 else ())]
    if default := next((name for name in wanted if name in branches), None):
        return Heads(branches, default, branches[default].commit)
    detached = await ask(root, "rev-parse", "--verify", "-q", "HEAD^{commit}", reads=True)
    return Heads(branches, DETACHED, detached.text.strip() or None)


async def resolve(where: Path, name: str) -> str:
    """Return the commit that a person's words for one mean; InvalidInput when there is none."""
    answer = await ask(where, "rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}", reads=True)
    if answer.code != 0:
        raise InvalidInput(
            f"There is no commit {name!r} in {where}.",
            hint="Name a branch, a tag or a commit; `git fetch` brings newer ones.",
        )
    return answer.text.strip()


def common_dir(root: Path) -> Path:
    """Return the folder in which the worktree at ``root`` keeps what all worktrees share."""
    marker = root / ".git"
    if marker.is_dir():
        return marker
    private = root / marker.read_text().removeprefix("gitdir:").strip()
    shared = private / "commondir"
    return (private / shared.read_text().strip()).resolve() if shared.is_file() else private.resolve()


def _locate(path: Path) -> tuple[Path, Path]:
    where = path.expanduser().resolve()
    try:
        there = where.exists()
    except OSError:  # a name that no file system takes
        there = False
    if not there:
        raise NotFound(f"There is no folder {where}.", hint="Check the path; it is taken as it was typed.")
    if not where.is_dir():
        raise InvalidInput(f"{where} is a file.", hint=f"Give the folder: {where.parent}")
    return where, next((up for up in (where, *where.parents) if (up / ".git").exists()), where)


async def _main_worktree(git_dir: Path, common: Path, top: Path) -> Path | None:
    """Return the main worktree; None when there is none because the repository is bare."""
    config = common / "config"
    bare = await ask(top, "config", "--file", config, "--bool", "core.bare", reads=True)
    if bare.text.strip() == "true":
        return None
    if common.name == ".git":
        return common.parent
    if git_dir == common:
        return Path((await git(top, "rev-parse", "--show-toplevel", reads=True)).rstrip("\n"))
    declared = await ask(top, "config", "--file", config, "core.worktree", reads=True)
    return (common / declared.text.rstrip("\n")).resolve() if declared.code == 0 else None


def _rows(listing: str) -> Iterator[tuple[str, ...]]:
    fields = listing.split("\0")
    for start in range(0, len(fields) - 5, 5):
        yield (fields[start].lstrip("\n"), *fields[start + 1 : start + 5])

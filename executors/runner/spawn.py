"""Starting the child: a fork that joins a cgroup and may get a terminal, or the cheaper posix_spawn."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import termios

from executors.runner.launch import Launch
from executors.runner.tree import Cgroup

NOT_FOUND = 127
NOT_RUNNABLE = 126
# Python ignores the first two, and the runner handles others; a child starts with none of that.
RESET_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGWINCH,
)


class SpawnFailed(Exception):
    """Nothing was started; ``exit_code`` is what a shell would give: 127 not found, 126 not runnable."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message


class Streams:
    """What connects a child: its stdin, stdout and stderr, and the runner's end of each."""

    def __init__(self, child: tuple[int, int, int], outputs: dict[bytes, int], stdin: int | None) -> None:
        self.child = child
        self.outputs = outputs
        self.stdin = stdin

    def close_child(self) -> None:
        """Close the child's ends, once it has them."""
        for fd in set(self.child):
            os.close(fd)

    def close(self) -> None:
        """Close the runner's ends, when there is no child."""
        for fd in (*self.outputs.values(), self.stdin):
            if fd is not None:
                os.close(fd)


def plain_streams(has_stdin: bool) -> Streams:
    """Open two pipes for output and, where it is asked for, one for input."""
    stdin: int | None = None
    opened: list[int] = []
    try:
        if has_stdin:
            child_in, stdin = os.pipe2(os.O_CLOEXEC)
            opened += (child_in, stdin)
        else:
            child_in = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            opened.append(child_in)
        out, child_out = _output_pipe()
        opened += (out, child_out)
        err, child_err = _output_pipe()
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    return Streams((child_in, child_out, child_err), {b"stdout": out, b"stderr": err}, stdin)


def _output_pipe() -> tuple[int, int]:
    """Return (reading end, the child's end).

    The child's end is open for reading too: when the runner dies, a write waits instead of ending the
    child by SIGPIPE. Where Linux' /proc is missing it is the plain writing end.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        both = os.open(f"/proc/self/fd/{writing}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return reading, writing
    os.close(writing)
    return reading, both


def program(launch: Launch) -> str:
    """Return the file to execute, absolute; raises SpawnFailed in words when there is none."""
    argv, env, cwd = launch.argv, launch.env, launch.cwd
    if not argv or not argv[0]:
        raise SpawnFailed(NOT_FOUND, "There is no command to run.")
    if any("\0" in text for text in (*argv, *env, *env.values(), cwd)):
        raise SpawnFailed(NOT_RUNNABLE, "The command or its environment holds a NUL byte.")
    if not os.path.isdir(cwd):
        raise SpawnFailed(NOT_RUNNABLE, f"The working folder {cwd} does not exist.")
    name = argv[0]
    if "/" in name:
        candidates = [os.path.join(cwd, name)]
    else:
        folders = env.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(cwd, folder, name) for folder in folders]
    refused = None
    for path in candidates:
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            refused = refused or path
    if refused:
        raise SpawnFailed(NOT_RUNNABLE, f"{refused} may not be executed.")
    raise SpawnFailed(NOT_FOUND, f"There is no program {name}" + ("." if "/" in name else " on PATH."))


def explain(number: int, path: str) -> SpawnFailed:
    """Put into words why the program at ``path``, which is there, could not be executed."""
    reason = {
        errno.ENOENT: "the interpreter that it names does not exist",
        errno.ENOEXEC: "it is not a program for this machine and names no interpreter",
        errno.E2BIG: "its arguments and environment are too long",
    }.get(number, os.strerror(number))
    return SpawnFailed(NOT_RUNNABLE, f"{path} could not be started: {reason}.")


def spawn(launch: Launch, stdio: tuple[int, int, int]) -> int:
    """Start a child in a session of its own; returns its pid. For the host: cheap, and without a cgroup."""
    path = program(launch)
    try:
        os.chdir(launch.cwd)
        return os.posix_spawn(
            path,
            launch.argv,
            launch.env,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(stdio)],
            setsid=True,
            setsigdef=RESET_SIGNALS,
        )
    except (OSError, ValueError) as error:
        raise explain(_number(error), path) from error
    finally:
        os.chdir("/")


def fork(launch: Launch, stdio: tuple[int, int, int], cgroup: Cgroup | None, *, terminal: bool) -> tuple[int, bool]:
    """Start a child in a session and cgroup of its own; returns (pid, whether it joined the cgroup).

    With ``terminal`` stdin is a terminal, which becomes the child's controlling one.
    """
    path = program(launch)
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            if cgroup and not _join(cgroup):
                os.write(writing, b"-")
            os.setsid()
            if terminal:
                fcntl.ioctl(stdio[0], termios.TIOCSCTTY, 0)
            os.chdir(launch.cwd)
            for number, fd in enumerate(stdio):
                os.dup2(fd, number)
            for number in RESET_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.execve(path, launch.argv, launch.env)  # noqa: S606 - without a shell is what is wanted
        except (OSError, ValueError) as error:
            os.write(writing, b"%d" % _number(error))
        finally:
            os._exit(NOT_RUNNABLE)
    os.close(writing)
    with open(reading, "rb") as source:
        told = source.read()
    problem = told.removeprefix(b"-")
    if problem:
        os.waitpid(pid, 0)
        raise explain(int(problem), path)
    return pid, cgroup is not None and not told


def _number(error: OSError | ValueError) -> int:
    """Return the errno; text that cannot be handed to the system is an invalid argument."""
    return (isinstance(error, OSError) and error.errno) or errno.EINVAL


def _join(cgroup: Cgroup) -> bool:
    try:
        fd = os.open(f"{cgroup.path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"0")
    except OSError:
        return False
    return True

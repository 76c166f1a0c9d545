"""What running plans need from the outside beside sessions and git: short commands without a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from supervisor.engine.ports.processes import ExitRecord, Launch, Started
from supervisor.model.errors import QuarterdeckError


class CommandHost(Protocol):
    """A connection to the process that is the parent of such commands; it outlives the supervisor.

    ``identity`` names that process for as long as it lives: a command whose end is not recorded, and that does not
    run, was never started there, if it was claimed for this very host; if for another one, it went with it.
    """

    @property
    def identity(self) -> str:
        """The host's name: pid and start time."""
        ...

    async def start_all(self, launches: Sequence[Launch]) -> list[Started | QuarterdeckError]:
        """Start commands; a second call for the same attempt starts nothing.

        Returns for each what it is, or why it was not started: Unavailable where there is no such program, which is
        recorded as an exit too. With the code ``gone`` nobody knows: the host went away before it said so.
        """
        ...

    async def stop(self, attempt: str, *, grace_s: float) -> None:
        """End a command's tree; one that has ended already is no error."""
        ...

    async def hold(self, attempt: str, *, held: bool) -> None:
        """Stop the clocks of a command's timeouts, or let them run on; one that has ended already is no error."""
        ...

    async def running(self) -> set[str]:
        """Return the attempts that have not ended, whoever started them."""
        ...

    async def alive(self) -> set[str]:
        """Return the attempts that have not ended and whose processes are not stopped (SIGSTOP)."""
        ...

    def listen(self, ended: Callable[[ExitRecord], None], gone: Callable[[], None]) -> None:
        """Call ``ended`` for each end of a command as it comes, in the journal by then, ``gone`` when the host goes
        away before it is left."""
        ...


Connect = Callable[[], AbstractAsyncContextManager[CommandHost]]
"""Connects to the host, which is started when there is none."""

Journal = Callable[[Path], Mapping[str, ExitRecord]]
"""Returns the ends that a folder's journal holds, by attempt. Blocks."""

EndLeft = Callable[[Path, Collection[str]], bool]
"""Kills what runs of these attempts of a folder though their host is dead; whether nothing of them is left. Blocks."""

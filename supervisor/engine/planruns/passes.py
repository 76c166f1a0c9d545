"""The token with which the commands of a plan report and ask: valid while the plan is under way, and not longer."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.planruns.environment import keep
from supervisor.model.errors import Refused
from supervisor.model.plans import PLAN_ENDED
from supervisor.store import plans, tokens

FILE: Final = "token"


@dataclass(slots=True)
class Pass:
    """The token of one plan, kept in the plan's ``folder``."""

    ledger: Ledger
    plan: str
    folder: Path
    _known: str = ""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self) -> str:
        """Return the token. There is a new one when the plan goes on after it had ended; Refused when it has ended."""
        async with self._lock:
            if not self._known:
                self._known = await self._renewed(await self.kept())
            return self._known

    async def kept(self) -> str | None:
        """Return the token that is kept, valid or not."""
        return await asyncio.to_thread(kept, self.folder)

    def forget(self) -> None:
        """Take note that the token is not valid any more."""
        self._known = ""

    async def _renewed(self, old: str | None) -> str:
        valid = old is not None and await self.ledger.store.read(lambda conn: tokens.get(conn, old) is not None)
        if old is not None and valid and tokens.plan_of(old) == self.plan:
            return old
        new = tokens.for_plan(self.plan, secrets.token_urlsafe(32))
        await asyncio.to_thread(keep, self.folder, FILE, new)

        def store(transaction: Transaction) -> None:
            plan = plans.get(transaction.conn, self.plan)
            if plan.status in PLAN_ENDED:
                raise Refused(f"{plan.id} is {plan.status}: its commands may not report any more.")
            revoke(transaction.conn, old)
            tokens.add(transaction.conn, new, role="agent", now=transaction.now)

        await self.ledger.commit(store)
        return new


def kept(folder: Path) -> str | None:
    """Return the token that a plan's folder keeps, valid or not. Blocks."""
    with suppress(FileNotFoundError):
        return (folder / FILE).read_text()
    return None


def revoke(conn: sqlite3.Connection, token: str | None) -> None:
    """Take a plan's token back, if there is one."""
    if token is not None:
        tokens.revoke(conn, token)

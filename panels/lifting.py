"""Letting go on what a budget has stopped."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

from textual.binding import BindingType

from panels.asking import Asking
from panels.keys import bindings
from panels.shell import Json


class Lifting(Asking):
    """Mixed into what knows which budget a key is meant for (`scope`)."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("lift")]

    @property
    def scope(self) -> str | None:
        """The scope whose budget is used up; None where there is none to be let go on."""
        raise NotImplementedError

    def lifted(self, scope: str) -> None:
        """Take note that a scope may use as much again."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer it only for what is used up."""
        return action != "lift" or self.scope is not None

    def action_lift(self) -> None:
        """Let a scope use as much again, after a question that says what that means."""
        from panels.dialogs import Confirm

        if (scope := self.scope) is None:
            return
        body = (
            "It may use as much again as it has used until now, and what was paused because of it goes on. What was "
            "stopped stays stopped until you start it. It is noted in the history.\n\n"
            f"The same in a shell: quarterdeck budget resume {scope}"
        )

        async def post() -> Json:
            return await self._shell.client.post(f"/budgets/{quote(scope, safe=':/')}/resume")

        def done(_: Json) -> None:
            self._shell.say(f"{scope} may use as much again.")
            self.lifted(scope)

        self._push(Confirm(f"Let {scope} go on?", body, yes="Let it go on"), lambda _: self._shell.perform(post, done))

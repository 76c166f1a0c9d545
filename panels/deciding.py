"""What a person can decide about questions: approve, approve always, reject, reject with a reason; one or several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from textual.binding import BindingType

from panels.asking import Asking
from panels.keys import bindings
from panels.shell import Json
from supervisor.api.wording import headline
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plain import exact, one_line

DECISIONS: Final = frozenset({"approve", "approve_always", "reject", "reject_reason"})


class Deciding(Asking):
    """Mixed into what knows which questions a key is meant for (`chosen`)."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("approve", "approve_always", "reject", "reject_reason")]

    def chosen(self) -> Sequence[Json]:
        """Return the questions that a decision is about, all of which wait: the marked ones, or the one looked at."""
        raise NotImplementedError

    def are_marked(self) -> bool:
        """Whether the chosen ones were marked: then they are decided together, after a review."""
        raise NotImplementedError

    def was_seen(self) -> bool:
        """Whether the person can have read what is chosen; says so when not."""
        raise NotImplementedError

    def sent(self, ids: Collection[str]) -> None:
        """Take note that decisions are on their way."""
        raise NotImplementedError

    def settled(self, ids: Collection[str], *, decided: bool) -> None:
        """Take note that they were made, or could not be."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer decisions only where something waits for one."""
        if action not in DECISIONS:
            return True
        chosen = self.chosen() if self.is_running else ()
        if action == "approve_always":
            return not self.are_marked() and any(map(_has_rules, chosen))
        return bool(chosen)

    def action_approve(self) -> None:
        """Allow once; a question with options needs one of them, and high risk and several at once another look."""
        chosen = self.chosen()
        if not chosen or not self.was_seen():
            return
        together = self.are_marked()

        def approve(choices: dict[str, str]) -> None:
            from panels.screens.reviewing import Review
            from panels.view.reviews import review_lines

            decisions = [
                {"approval": each["id"], "approve": True, "choice": choices.get(each["id"])} for each in chosen
            ]
            risky = any(each["risk"] == "high" for each in chosen)
            if not (together or risky):
                self._decide(chosen, decisions, together=False)
                return
            title = f"Approve {_number(chosen)}?" if together else "The risk is high. Approve it?"
            self._push(
                Review(title, review_lines(chosen, choices, approve=True), yes="Approve", danger=risky),
                lambda _: self._decide(chosen, decisions, together=together),
            )

        self._choose(list(chosen), {}, approve)

    def _choose(self, left: list[Json], choices: dict[str, str], done: Callable[[dict[str, str]], None]) -> None:
        """Ask for an option of each question that has some, one after the other."""
        from panels.dialogs import Choose

        asked = next((each for each in left if each["options"]), None)
        if asked is None:
            done(choices)
            return
        later = left[left.index(asked) + 1 :]
        options = [(option["value"], _option(option, asked["default"])) for option in asked["options"]]
        self._push(
            Choose(exact(asked["question"]), options),
            lambda value: self._choose(later, {**choices, asked["id"]: value}, done),
        )

    def action_reject(self) -> None:
        """Refuse; several at once after a review."""
        if self.was_seen():
            self._reject(self.chosen(), None, together=self.are_marked())

    def action_reject_reason(self) -> None:
        """Refuse with a reason, which is told to who asked."""
        from panels.dialogs import AskText

        chosen, together = self.chosen(), self.are_marked()
        if chosen and self.was_seen():
            title = f"Reject {_number(chosen) if together else short(chosen[0])}: why?"
            self._push(
                AskText(title, "It is told to who asked."),
                lambda reason: self._reject(chosen, reason, together=together),
            )

    def _reject(self, chosen: Sequence[Json], reason: str | None, *, together: bool) -> None:
        from panels.screens.reviewing import Review
        from panels.view.reviews import review_lines

        if not chosen:
            return
        decisions = [{"approval": each["id"], "approve": False, "rationale": reason} for each in chosen]
        if not together:
            self._decide(chosen, decisions, together=False)
            return
        self._push(
            Review(f"Reject {_number(chosen)}?", review_lines(chosen, {}, approve=False, reason=reason), yes="Reject"),
            lambda _: self._decide(chosen, decisions, together=True),
        )

    def action_approve_always(self) -> None:
        """Show a rule that would have allowed it and what it matches; with a yes apply it, then approve."""
        chosen = self.chosen()
        if not chosen or not self.was_seen():
            return
        asked = chosen[0]

        async def propose() -> Json:
            return await self._shell.client.post("/policy/propose", {"approval": asked["id"]})

        self._shell.perform(propose, lambda found: self._proposed(asked, found["proposal"], found["version"]))

    def _proposed(self, asked: Json, proposal: Json, version: int) -> None:
        from panels.screens.reviewing import Review
        from panels.view.reviews import proposal_lines

        has_rule = proposal["rule"] is not None
        title = "Approve this, and from now on always what this rule matches?" if has_rule else "No rule is proposed"
        rule = {"rule": proposal["rule"], "base": version, "rationale": proposal["reason"]} if has_rule else None
        self._push(
            Review(
                title,
                proposal_lines(asked, proposal),
                yes="Apply the rule and approve" if has_rule else "Approve once",
                danger=asked["risk"] == "high",
            ),
            lambda _: self._decide([asked], [{"approval": asked["id"], "approve": True}], together=False, rule=rule),
        )

    def _decide(
        self, chosen: Sequence[Json], decisions: list[Json], *, together: bool, rule: Json | None = None
    ) -> None:
        """Send decisions in one request, all or none; before that a rule, when there is one."""
        ids = [each["id"] for each in chosen]
        self.sent(ids)

        async def send() -> None:
            client, applied = self._shell.client, False
            try:
                if rule is not None:
                    await client.post("/policy/apply", rule)
                    applied = True
                await client.post("/approvals/decide", {"decisions": decisions})
            except QuarterdeckError as error:
                self.settled(ids, decided=False)
                await self._reread()
                raise _in_words(error, chosen, together=together, applied=applied) from error
            self.settled(ids, decided=True)

        def done(_: None) -> None:
            # That it leaves the list says the rest: a message would lie over what is read next.
            if rule is not None:
                self._shell.say("The rule is in force; `quarterdeck policy rollback` takes it back.")

        self._shell.perform(send, done)

    async def _reread(self) -> None:
        """Read what waits again; when nobody answers, the connection says so by itself."""
        self._shell.view.stale.approvals = True
        with suppress(QuarterdeckError):
            await self._shell.refresh_view()


def short(approval: Json) -> str:
    """Return what a question is about in a few words."""
    flat = one_line(exact(headline(approval)[:400]))
    return flat if len(flat) <= 60 else f"{flat[:59]}…"


def _number(chosen: Sequence[Json]) -> str:
    return f"{len(chosen)} questions" if len(chosen) > 1 else "1 question"


def _has_rules(approval: Json) -> bool:
    """Whether policy could allow what it is about: a rule never answers a question that has options."""
    return approval["subject_type"] == "tool_call" and not approval["options"]


def _option(option: Json, default: str | None) -> str:
    label = exact(one_line(option["label"]))
    said = label if label == option["value"] else f"{exact(option['value'])}  {label}"
    if option["value"] == default:
        said += "  (preselected)"
    return f"{said}\n    {exact(one_line(option['description']))}" if option["description"] else said


def _in_words(error: QuarterdeckError, chosen: Sequence[Json], *, together: bool, applied: bool) -> QuarterdeckError:
    """Return an error that says what became of the questions it is about."""
    kept = "The rule is in force, but this was not approved." if applied else ""
    if isinstance(error, Refused):
        what = "None of them was decided" if together else f"Not decided by you: {short(chosen[0])}"
        return Refused(f"{what}. {error.message}", hint=error.hint, kept=kept)
    return type(error)(error.message, hint=error.hint, kept=kept or error.kept)

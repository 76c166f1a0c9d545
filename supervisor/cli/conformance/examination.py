"""The runs that a tool is put through, and what each of them shows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from supervisor.cli.conformance import trial as trials
from supervisor.cli.conformance.lines import cut
from supervisor.cli.conformance.observations import observe
from supervisor.cli.conformance.requirements import Findings
from supervisor.cli.conformance.stand_in import StandIn
from supervisor.cli.conformance.trial import Trial
from supervisor.model.protocol import (
    ANSWER_FLAG,
    ANSWER_VARIABLE,
    KEY_VARIABLE,
    ApprovalNeeded,
    answer_argument,
    answer_environment,
)

FOREIGN_ANSWER: Final = "none-of-the-options"
FOREIGN_KEY: Final = "the-key-of-another-question"
QUESTIONS_LIMIT: Final = 5
"""Questions that are followed one after another."""


class _Hung(Exception):
    """It did not end by itself: more runs would only hang again."""


@dataclass(slots=True)
class Examination:
    """Runs ``command`` again and again. ``told`` hears of each run that has ended."""

    command: Sequence[str]
    timeout_s: float
    by_flag: bool = False
    told: Callable[[Trial], None] = lambda trial: None
    findings: Findings = field(default_factory=Findings)
    trials: list[Trial] = field(default_factory=list)
    stand_in: StandIn = field(default_factory=StandIn)

    @property
    def asked(self) -> bool:
        """Whether it asked anything that could be understood."""
        return any(trial.questions or trial.asked_in_place for trial in self.trials)

    @property
    def conforms(self) -> bool:
        """Whether nothing was broken, and something was asked."""
        return self.findings.conforms and self.asked

    def make(self) -> None:
        """Make all runs. Raises Unavailable when the command cannot be started."""
        with self.stand_in, suppress(_Hung):
            first = self._asking_run(None)
            if first is not None:
                for value in first.values:
                    self._answered(first, value)
                self._some_answer_was_carried_out()
                self._foreign_answers(first)
            elif (waited := self.trials[0].asked_in_place) is not None:
                self._waits_in_place(waited)

    def _some_answer_was_carried_out(self) -> None:
        answered = [one for one in self.trials if one.answer is not None]
        if answered and all(one.exit_code for one in answered):
            self.findings.doubted("T8", "No answer let it end with exit code 0.")
            for one in answered:
                self.findings.doubted("T8", f"Given {one.answer!r}: {one.end}")

    def _asking_run(self, first: ApprovalNeeded | None) -> ApprovalNeeded | None:
        with _folder() as folder:
            return self._ask(folder, first)

    def _ask(self, folder: Path, first: ApprovalNeeded | None) -> ApprovalNeeded | None:
        """Run it without an answer; it must ask what it asked ``first``."""
        done = self._run(folder)
        asked, made = done.asked, _made(folder)
        if made and (asked or done.asked_in_place):
            when = "Before it asked" if asked else "Rejected"
            self.findings.doubted("T3", f"{when}, it made in its folder: {made}. Is that a part of what it asks about?")
        if first is not None:
            self._compare(first, asked)
        return asked

    def _waits_in_place(self, first: ApprovalNeeded) -> None:
        """Give each answer to a tool that waits in `ask`. In its first run it was rejected."""
        if self.trials[0].exit_code == 0:
            self.findings.doubted("T9", "Rejected, it ended with exit code 0. Does it look at the exit code of `ask`?")
        else:
            self.findings.seen("T9")
        for value in first.values:
            with _folder() as folder:
                done = self._run(folder, value, in_place=True)
            if done.asked_in_place is None:
                self.findings.doubted("T8", "Started once more, it did not ask again.")
            elif not done.exit_code:
                self.findings.seen("T8")
        self._some_answer_was_carried_out()

    def _compare(self, first: ApprovalNeeded, asked: ApprovalNeeded | None) -> None:
        if asked is None:
            self.findings.broken("T11", "Started once more without an answer, it did not ask again.")
        elif first.key != asked.key:
            self.findings.broken("T11", f"Its key changed from {first.key!r} to {asked.key!r}.")
        elif (first.question, first.options) != (asked.question, asked.options):
            keyless = asked.key is None
            note = self.findings.broken if keyless else self.findings.doubted
            note("T11", "The words of its question or of its options changed from run to run.")
        else:
            self.findings.seen("T11")

    def _answered(self, first: ApprovalNeeded, value: str) -> None:
        """Ask, answer, and go on for as long as it asks something else."""
        with _folder() as folder:
            asked = self._ask(folder, first)
            before: list[ApprovalNeeded] = []
            while asked is not None:
                if len(before) == QUESTIONS_LIMIT:
                    self.findings.doubted("T8", f"After {QUESTIONS_LIMIT} answers it still asks; it was left there.")
                    return
                before.append(asked)
                answer = value if len(before) == 1 else asked.default or asked.values[0]
                after = self._run(folder, answer, asked.key).asked
                if after is not None and any(after.is_same_as(one) for one in before):
                    self.findings.broken("T8", f"Given {answer!r}, it asked the same again: {_short(after)}")
                    return
                self.findings.seen("T8")
                asked = after
        if self.by_flag:
            self._flagged(first, value)

    def _flagged(self, first: ApprovalNeeded, value: str) -> None:
        with _folder() as folder:
            if self._ask(folder, first) is None:
                return
            after = self._run(folder, value, None, by_flag=True).asked
            if after is not None and after.is_same_as(first):
                self.findings.broken("T12", f"Given {ANSWER_FLAG}{value} alone, it asked the same again.")
            else:
                self.findings.seen("T12")

    def _foreign_answers(self, first: ApprovalNeeded) -> None:
        with _folder() as folder:
            if self._ask(folder, first) is None:
                return
            ended = self._run(folder, FOREIGN_ANSWER, first.key)
            if ended.exit_code == 0:
                self.findings.broken("T9", f"Given {FOREIGN_ANSWER!r}, it ended as if it were done (exit code 0).")
            else:
                self.findings.seen("T9")
        if first.key is None:
            return
        with _folder() as folder:
            if self._ask(folder, first) is None:
                return
            asked = self._run(folder, first.values[0], FOREIGN_KEY).asked
            if asked is not None and asked.is_same_as(first):
                self.findings.seen("T10")
            else:
                self.findings.broken("T10", f"Given the answer to {FOREIGN_KEY!r}, it did not ask its own question.")

    def _run(
        self,
        folder: Path,
        answer: str | None = None,
        key: str | None = None,
        *,
        by_flag: bool = False,
        in_place: bool = False,
    ) -> Trial:
        argv, environment = list(self.command), _environment() | self.stand_in.environment
        if answer is not None and not in_place and (by_flag or self.by_flag):
            argv.append(answer_argument(answer))
        if answer is not None and not in_place and not by_flag:
            environment |= answer_environment(answer, key)
        done = Trial(answer, key, by_flag, in_place)
        self.stand_in.expect(answer if in_place else None)
        trials.run(argv, folder, environment, done, timeout_s=self.timeout_s)
        done.waited = self.stand_in.asked()
        self.trials.append(done)
        self.told(done)
        observe(self.findings, done, self.timeout_s)
        if done.timed_out:
            raise _Hung
        return done


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a scratch folder; what a tool makes unremovable in it is left to the system's own clean-up."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-check-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _environment() -> dict[str, str]:
    """Return the caller's environment as a session without a terminal has it, without the caller's supervisor."""
    taken = {ANSWER_VARIABLE, KEY_VARIABLE}
    kept = {
        name: value for name, value in os.environ.items() if name not in taken and not name.startswith("QUARTERDECK_")
    }
    return {**kept, "HEADLESS": "1"}


def _made(folder: Path) -> str:
    """Return the names of what is in a folder that was empty; empty when it still is."""
    return cut(", ".join(sorted(path.name for path in folder.iterdir())))


def _short(asked: ApprovalNeeded) -> str:
    return cut(asked.question.splitlines()[0])

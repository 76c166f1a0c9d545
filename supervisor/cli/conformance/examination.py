"""The runs that a tool is put through, and what each of them shows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executors.agents.protocol_events import Malformed
from supervisor.cli.conformance import trial as trials
from supervisor.cli.conformance.requirements import Findings
from supervisor.cli.conformance.trial import Trial
from supervisor.model.events import EventType
from supervisor.model.protocol import (
    ANSWER_FLAG,
    ANSWER_VARIABLE,
    KEY_VARIABLE,
    ApprovalNeeded,
    answer_argument,
    answer_environment,
    is_reserved,
)

FOREIGN_ANSWER: Final = "none-of-the-options"
FOREIGN_KEY: Final = "the-key-of-another-question"
PROMPT_S: Final = 10.0
SILENCE_S: Final = 30.0
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

    def make(self) -> None:
        """Make all runs. Raises Unavailable when the command cannot be started."""
        try:
            first = self._asking_run(None)
            if first is not None:
                for value in first.values:
                    self._answered(first, value)
                answered = [one for one in self.trials if one.answer is not None]
                if answered and all(one.exit_code for one in answered):
                    self.findings.doubted("T8", "No answer let it end with exit code 0.")
                self._foreign_answers(first)
        except _Hung:
            pass

    def _asking_run(self, first: ApprovalNeeded | None) -> ApprovalNeeded | None:
        with _folder() as folder:
            return self._ask(folder, first)

    def _ask(self, folder: Path, first: ApprovalNeeded | None) -> ApprovalNeeded | None:
        """Run it without an answer; it must ask what it asked ``first``."""
        asked = self._run(folder).asked
        if first is not None:
            self._compare(first, asked)
        return asked

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

    def _run(self, folder: Path, answer: str | None = None, key: str | None = None, *, by_flag: bool = False) -> Trial:
        argv, environment = list(self.command), _environment()
        if answer is not None and (by_flag or self.by_flag):
            argv.append(answer_argument(answer))
        if answer is not None and not by_flag:
            environment |= answer_environment(answer, key)
        done = Trial(answer, key, by_flag)
        trials.run(argv, folder, environment, done, timeout_s=self.timeout_s)
        self.trials.append(done)
        self.told(done)
        self._general(done)
        if done.timed_out:
            raise _Hung
        return done

    def _general(self, done: Trial) -> None:
        """Note what every run shows, whatever it was given."""
        note = self.findings
        if done.timed_out:
            note.broken("T7", f"It did not end within {self.timeout_s:g} s ({_given(done)}).")
        else:
            note.seen("T7")
        if done.kinds:
            note.seen("T1")
            note.seen("T2")
        for start in done.too_long:
            note.broken("T1", f"A line of an event is too long: {start}")
        for start in done.torn:
            note.broken("T1", f"The last line of a stream is an event without its newline: {start}")
        for claim in done.claims:
            if isinstance(claim, Malformed):
                note.broken(_requirement(claim), f"{claim.reason} {claim.line[:100]}")
        if done.questions:
            self._asked(done)
        elif done.exit_code == 90:
            note.broken("T6", f"It ended with exit code 90 without a valid approval_needed ({_given(done)}).")
        if done.silence > SILENCE_S:
            note.doubted("T14", f"It was silent for {done.silence:.0f} s; a heartbeat would show that it lives.")
        elif done.seconds > SILENCE_S:
            note.seen("T14")

    def _asked(self, done: Trial) -> None:
        note = self.findings
        note.seen("T3")
        if len(done.questions) > 1:
            note.broken("T5", f"It asked {len(done.questions)} questions in one run; only the last one counts.")
        else:
            note.seen("T5")
        if done.exit_code == 90:
            note.seen("T6")
        elif not done.timed_out:
            note.broken("T4", f"It asked and ended with exit code {done.exit_code}, not with 90: nobody will be asked.")
        if done.after_asking > PROMPT_S:
            note.broken("T4", f"It went on for {done.after_asking:.0f} s after it had asked.")
        elif done.left_behind:
            note.broken("T4", f"It asked and left {done.left_behind} of its processes running.")
        elif done.exit_code == 90:
            note.seen("T4")


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a scratch folder; what a tool makes unremovable in it is left to the system's own clean-up."""
    with tempfile.TemporaryDirectory(prefix="quarterdeck-check-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _environment() -> dict[str, str]:
    """Return the caller's environment as a session without a terminal has it, without any supervisor."""
    taken = {ANSWER_VARIABLE, KEY_VARIABLE}
    kept = {
        name: value for name, value in os.environ.items() if name not in taken and not name.startswith("QUARTERDECK_")
    }
    return {**kept, "HEADLESS": "1"}


def _requirement(claim: Malformed) -> str:
    if claim.of == EventType.APPROVAL_NEEDED:
        return "T3"
    return "T2" if claim.of is not None and is_reserved(claim.of) else "T1"


def _given(done: Trial) -> str:
    return "without an answer" if done.answer is None else f"given {done.answer!r}"


def _short(asked: ApprovalNeeded) -> str:
    return asked.question.splitlines()[0][:100]

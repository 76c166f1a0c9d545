"""What any single run shows of a tool, whatever it was given."""

from __future__ import annotations

from typing import Final

from executors.agents.protocol_events import Malformed
from supervisor.cli.conformance.lines import cut
from supervisor.cli.conformance.requirements import Findings
from supervisor.cli.conformance.trial import Trial
from supervisor.model.events import EventType
from supervisor.model.protocol import is_reserved

PROMPT_S: Final = 10.0
SILENCE_S: Final = 30.0


def observe(note: Findings, done: Trial, timeout_s: float) -> None:
    """Note what a run shows that was ended after ``timeout_s`` seconds at the latest."""
    if done.timed_out:
        note.broken("T7", f"It did not end within {timeout_s:g} s ({given(done)}).")
    else:
        note.seen("T7")
    _events(note, done)
    if done.questions:
        _asked(note, done)
    elif done.exit_code == 90 and not any(_is_question(claim) for claim in done.claims):
        note.broken("T6", f"It ended with exit code 90 without an approval_needed ({given(done)}).")
    if done.asked_in_place is not None:
        note.seen("T3")
    for asked in done.waited:
        if isinstance(asked, Malformed):
            note.broken("T3", f"`ask`: {asked.reason} {cut(asked.line)}")
    if done.silence > SILENCE_S:
        note.doubted("T14", f"It was silent for {done.silence:.0f} s; a heartbeat would show that it lives.")
    elif done.seconds > SILENCE_S:
        note.seen("T14")


def given(done: Trial) -> str:
    """Return what a run was given, in words."""
    if done.answer is None:
        return "without an answer"
    return f"given {done.answer!r}"


def _events(note: Findings, done: Trial) -> None:
    if done.kinds:
        note.seen("T1")
        note.seen("T2")
    for start in done.too_long:
        note.broken("T1", f"A line of an event is too long: {start}")
    for start in done.unended:
        note.doubted("T1", f"The last line counts, but has no newline: {start}")
    for claim in done.claims:
        if isinstance(claim, Malformed):
            note.broken(_requirement(claim), f"{claim.reason} {cut(claim.line)}")
    for kind, reason in done.doubts:
        note.doubted("T3" if kind == EventType.APPROVAL_NEEDED else "T2", reason)


def _asked(note: Findings, done: Trial) -> None:
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


def _requirement(claim: Malformed) -> str:
    if _is_question(claim):
        return "T3"
    return "T2" if claim.of is not None and is_reserved(claim.of) else "T1"


def _is_question(claim: object) -> bool:
    return isinstance(claim, Malformed) and claim.of == EventType.APPROVAL_NEEDED

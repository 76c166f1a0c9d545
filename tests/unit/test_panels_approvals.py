"""Questions in a list, their countdown, their facts, and what is shown before a decision."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from panels.view.approvals import Heading, countdown, detail, headline, line, rows, standing
from panels.view.reviews import proposal_lines, review_lines
from supervisor.model.times import from_rfc3339

ASKED = "2026-11-29T08:00:00.000Z"
EXPIRES = "2026-11-29T08:30:00.000Z"
START = from_rfc3339(ASKED)
MINUTE = 60_000


def approval(**fields: Any) -> dict[str, Any]:
    return {
        "id": "app_1", "subject_type": "tool_call", "subject": "Bash ls", "project": "prj_1", "session": "ses_1",
        "session_name": "fix", "question": "May fix do this?", "options": [], "default": None, "risk": "medium",
        "preview": {"tool": "Bash", "input": {"command": "./odd --now"}},
        "judgement": {"effect": "ask", "rule": "default", "reason": "No rule speaks of it.", "parts": []},
        "digest": "abc", "status": "pending", "reason": "It waits.", "decision": None, "requested_by": "session ses_1",
        "decided_by": None, "rationale": None, "created_at": ASKED, "decided_at": None, "expires_at": EXPIRES,
        **fields,
    }  # fmt: skip


def joined(spans: Any) -> str:
    return "".join(text for text, _ in spans)


@pytest.mark.parametrize(
    ("minutes", "text", "style"),
    [
        (0, "30:00", "dim"), (19, "11:00", "dim"), (20, "10:00", "waiting"), (26, "4:00", "waiting"),
        (27, "3:00", "failed-bold"), (29.99, "0:00", "failed-bold"), (30, "over", "failed-bold"),
    ],
)  # fmt: skip
def test_the_countdown_turns_yellow_in_the_last_third_and_red_in_the_last_tenth(
    minutes: float, text: str, style: str
) -> None:
    assert countdown(approval(), START + int(minutes * MINUTE)) == (text, style)


def test_a_long_countdown_is_short_and_none_is_nothing() -> None:
    assert countdown(approval(expires_at="2026-11-29T13:05:00.000Z"), START)[0] == "5h05"
    assert countdown(approval(expires_at="2026-12-02T08:00:00.000Z"), START)[0] == "3d"
    assert countdown(approval(expires_at=None), START) == ("", "")
    assert countdown(approval(status="rejected"), START) == ("", "")


def test_what_waits_comes_first_and_what_was_decided_newest_first() -> None:
    late, early = approval(id="late", created_at=EXPIRES), approval(id="early")
    old = approval(id="old", status="rejected", decided_at=ASKED)
    new = approval(id="new", status="expired", decided_at=EXPIRES)
    found = rows([late, early], [old, new])
    assert [row.text if isinstance(row, Heading) else row["id"] for row in found] == [
        "early", "late", "Decided before, 2", "new", "old",
    ]  # fmt: skip
    assert rows([]) == []


@pytest.mark.parametrize("width", [20, 30, 40, 49, 50, 79, 120])
@pytest.mark.parametrize("status", ["pending", "rejected", "superseded"])
def test_a_line_fits_whatever_it_says(width: int, status: str) -> None:
    hostile = "[b]x[/b] \x1b[2J\u202e你好" + "y" * 65536
    found = line(approval(preview={"input": {"command": hostile}}, status=status, session_name=hostile), width, START)
    assert cell_len(joined(found)) <= max(width, 22)
    assert not set(joined(found)) & set("\x1b\u202e\n")
    if width >= 50:
        assert cell_len(joined(found)) == width


def test_a_line_names_risk_in_words_and_shows_marks() -> None:
    found = line(approval(risk="high"), 80, START)
    assert (joined(found)[:9], found[1][1]) == ("◐ high   ", "failed-bold")
    assert "Bash: ./odd --now" in joined(found)
    assert joined(line(approval(), 80, START, marked=True)).startswith("✔ ")
    assert joined(line(approval(), 80, START, busy=True)).startswith("… ")
    assert joined(line(approval(risk="medium"), 40, START)).startswith("◐ med ")


def test_the_headline_is_what_would_run_or_what_is_asked() -> None:
    assert headline(approval()) == "Bash: ./odd --now"
    assert headline(approval(preview={"input": {"command": ["a", "b c"]}})) == "run: a 'b c'"
    assert headline(approval(preview={})) == "Bash ls"
    assert headline(approval(options=[{"value": "a", "label": "a", "description": ""}])) == "May fix do this?"
    assert headline(approval(subject_type="gate")) == "May fix do this?"


def test_how_it_stands_follows_the_clock() -> None:
    assert "30:00 left" in joined(standing(approval(), START))
    assert "expired" in joined(standing(approval(), START + 31 * MINUTE))
    assert "rejected" in joined(standing(approval(status="rejected"), START))


def test_the_detail_says_everything() -> None:
    parts = [{"effect": "allow", "text": "cd src", "rule": "change-folder", "reason": "Goes."}]
    options = [
        {"value": "y", "label": "Yes\x1b", "description": "Do it."},
        {"value": "n", "label": "n", "description": ""},
    ]
    asked = approval(
        judgement={"effect": "ask", "rule": "default", "reason": "No rule.", "parts": parts},
        options=options, default="n", worktree="/w/t", agent="scripted", rationale="Why\nnot",
    )  # fmt: skip
    text = "\n".join(map(joined, detail(asked, 60)))
    for said in (
        "What would happen", "$ ./odd --now", "· y  Yes", "Do it.", "· n  (preselected)", "ask by default: No rule.",
        "✓ cd src", "allow by change-folder: Goes.", "fix (session ses_1)", "/w/t", "scripted", EXPIRES, "abc",
    ):  # fmt: skip
        assert said in text, said
    assert all(cell_len(joined(row)) <= 60 for row in detail(asked, 60))
    assert "\x1b" not in text
    assert "✓ y" in "\n".join(map(joined, detail({**asked, "decision": "y"}, 60)))


def test_a_question_without_a_preview_says_that_nothing_runs() -> None:
    text = "\n".join(map(joined, detail(approval(preview={}, judgement={}), 60)))
    assert "Nothing runs by itself" in text
    assert "no rule was needed" in text


def test_a_review_lists_each_question_whole() -> None:
    options = [{"value": "y", "label": "y", "description": ""}]
    both = [approval(), approval(id="app_2", question="Deploy?", options=options, preview={}, risk="high")]
    text = "\n".join(map(joined, review_lines(both, {"app_2": "y"}, approve=True)(60)))
    for said in ("1. approve  risk medium  fix", "$ ./odd --now", "2. approve  risk high", "Deploy?", "answer: y"):
        assert said in text, said
    text = "\n".join(map(joined, review_lines(both, {}, approve=False, reason="No\x1b")(60)))
    assert r"│ No\x1b" in text
    assert "1. reject" in text


def test_a_proposal_shows_the_rule_and_all_of_its_matches() -> None:
    proposal = {
        "rule": {"name": "x"}, "text": "name: x\nmatch: ./odd *\n", "reason": "You approved it.",
        "would_allow": [f"odd {n}" for n in range(20)], "would_ask": [],
    }  # fmt: skip
    text = "\n".join(map(joined, proposal_lines(approval(), proposal)(60)))
    for said in ("$ ./odd --now", "name: x", "match: ./odd *", "· odd 0", "· odd 19", "still ask about: nothing."):
        assert said in text, said
    text = "\n".join(map(joined, proposal_lines(approval(), {**proposal, "rule": None, "reason": "Too wide."})(60)))
    assert "Too wide." in text
    assert "approved once" in text

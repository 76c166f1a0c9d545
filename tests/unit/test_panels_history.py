"""How audit entries become lines, and what is said of going back."""

from __future__ import annotations

from typing import Any

from panels.view.history import chosen, details, failure, policy_change, record, rows, verdict_words
from panels.view.rows import Row

NOW = 1_764_000_000_000


def entry(action: str, subject: str, actor: str = "person:ada", **more: Any) -> dict[str, Any]:
    return {
        "seq": 7, "time": "2025-11-24T10:00:00Z", "actor": actor, "action": action, "subject": subject,
        "before": None, "after": None, "prev_hash": "a" * 64, "hash": "b" * 64, **more,
    }  # fmt: skip


def written(found: list[Row]) -> str:
    return "\n".join("".join(text for text, _ in row.line) for row in found)


def test_subjects_and_actors_have_the_names_of_sessions() -> None:
    names, asked_in = {"ses_1": "fix"}, {"app_1": "ses_1"}
    assert record(entry("session.cancel", "ses_1"), names, {}).subject == "fix"
    assert record(entry("session.cancel", "ses_2"), names, {}).subject == "ses_2"
    decided = record(entry("approval.approve", "app_1"), names, asked_in)
    assert (decided.subject, decided.session) == ("fix", "ses_1")
    assert record(entry("approval.approve", "app_2"), names, asked_in).session is None
    assert record(entry("approval.request", "app_9", "session:ses_1"), names, {}).actor == "fix"
    assert record(entry("project.add", "prj_1", after={"root": "/src"}), names, {}).subject == "/src"


def test_what_did_not_happen_is_not_said_to_have() -> None:
    def words(action: str, after: dict[str, Any]) -> str:
        return record(entry(action, "ses_1", after=after), {}, {}).words[2]

    assert words("session.merge", {"merged": True, "into": "main"}) == "merged"
    assert words("session.merge", {"merged": False, "into": "main"}) == "could not merge"
    assert words("approval.approve", {"decision": "allow"}) == "allowed, in"
    assert words("approval.approve", {"decision": "no"}) == "answered 'no' in"


def test_kinds_and_search_are_exact() -> None:
    records = [
        record(entry(action, "x", after={"why": "Because"}), {}, {})
        for action in ("session.create", "approval.reject", "permission.deny", "policy.apply", "project.add")
    ]
    assert [each.action for each in chosen(records, "decisions", "")] == ["approval.reject", "permission.deny"]
    assert [each.action for each in chosen(records, "sessions", "")] == ["session.create", "project.add"]
    assert [each.action for each in chosen(records, "policy", "ADA because")] == ["policy.apply"]
    assert len(chosen(records, "all", "because")) == 5
    assert chosen(records, "all", "nobody") == []


def test_only_sessions_that_failed_are_failures() -> None:
    event = {"seq": 3, "time": "2025-11-24T10:00:00Z", "type": "status_changed", "session": "ses_1"}
    failed = failure({**event, "payload": {"to": "failed", "reason": "It broke.", "name": "fix"}}, {})
    assert failed is not None
    assert (failed.actor, failed.subject, failed.session) == ("fix", "It broke.", "ses_1")
    assert failure({**event, "payload": {"to": "completed"}}, {}) is None


def test_only_changes_of_the_rules_can_be_taken_back() -> None:
    changed = entry("policy.apply", "policy version 2", before={"version": 1}, after={"version": 2})
    assert record(changed, {}, {}).replaced == 1
    assert record(entry("session.cancel", "ses_1", before={"version": 1}), {}, {}).replaced is None


def test_every_line_fits_and_nothing_acts_on_the_screen() -> None:
    hostile = "\x1b[31m[red]字\u202e" * 40
    nasty = record(entry("session.create", "ses_1", f"person:{hostile}", after={"name": hostile, hostile: 1}), {}, {})
    for width in (20, 80, 160):
        found = [*rows([nasty], width, NOW, "more"), *details(nasty, width, "")]
        assert "\x1b" not in written(found)
        assert "\u202e" not in written(found)


def test_what_changed_is_a_difference() -> None:
    changed = entry("policy.apply", "policy version 2", before={"version": 1}, after={"version": 2, "rationale": "Why"})
    text = written(details(record(changed, {}, {}), 100, "the verdict"))
    assert "- version: 1\n+ version: 2\n+ rationale: Why" in text
    assert f"hash     {'b' * 64}" in text
    assert "the verdict" in text


def test_going_back_says_what_is_lost() -> None:
    now = {"version": 3, "document": "kept\nmine\n"}
    text = policy_change(now, "kept\n", 1)
    assert "The rules of version 1 will be in force again, as version 4. That takes back versions 2 to 3." in text
    assert "-mine" in text
    assert "No rules but those of files" in policy_change({**now, "version": 1}, "", 0)
    assert "nothing changes" in policy_change(now, "kept\nmine\n", 2)


def test_a_verdict_in_words() -> None:
    verdict = {"valid": True, "entries": 3, "first_bad": None, "detail": ""}
    assert verdict_words(verdict, "12:00") == ("✓ The chain held at 12:00, up to entry 3. i checks again.", "ok")
    text, style = verdict_words({**verdict, "valid": False, "first_bad": 2, "detail": "it was cut"}, "12:00")
    assert (text, style) == ("✕ The chain does not hold from entry 2 on: it was cut.", "failed-bold")

"""`quarterdeck policy` and `approve --always`: the rules that decide without a person."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository
from tests.wait import wait_until

RULES = """\
version: 1
rules:
  - name: no-odd
    effect: deny
    reason: Odd is never run.
    command: ./odd
    match: ./odd --now
    no_match: ./even
"""


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    with supervisor_thread(tmp_path / "home"):
        yield CommandLine(tmp_path / "home", monkeypatch, capsys)


class Terminal(io.StringIO):
    """A keyboard, as far as programs can tell."""

    def isatty(self) -> bool:
        return True


def asked(quarterdeck: CommandLine, command: str) -> str:
    """The id of an agent's question about a command."""
    steps = json.dumps([{"ask": {"run": command}}, {"say": "Done."}])
    quarterdeck("run", "--agent", "scripted", "--prompt", steps)
    wait_until(lambda: quarterdeck("approvals", "--json").json["approvals"])
    (approval,) = quarterdeck("approvals", "--json").json["approvals"]
    found: str = approval["id"]
    return found


def test_a_command_is_tested_and_nothing_runs(quarterdeck: CommandLine) -> None:
    found = quarterdeck("policy", "test", "ls | ./odd > made", "--json").json
    assert found.keys() >= {"decision", "rule", "reason", "commands"}
    assert (found["decision"], found["rule"]) == ("ask", "default")
    said = quarterdeck("policy", "test", "ls | ./odd > made").out
    assert said.startswith("ask  by default:")
    assert "show-files" in said
    assert quarterdeck("policy", "test", "--", "ls", "-la", "--json").out.startswith("allow")
    assert quarterdeck("policy", "test", "--json", "--", "rm", "-rf", "/").json["decision"] == "deny"
    assert quarterdeck("policy", "test").code == 2
    assert not Path("made").exists()


def test_rules_are_applied_from_a_file_compared_and_taken_back(quarterdeck: CommandLine, tmp_path: Path) -> None:
    assert "No rules were applied yet" in quarterdeck("policy", "versions").out
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert quarterdeck("policy", "apply", str(file), "--rationale", "Odd.").out == "Version 1 is in force: Odd.\n"
    assert quarterdeck("policy", "test", "./odd", "--json").json["rule"] == "no-odd"
    assert "no-odd" in quarterdeck("policy", "list").out
    assert "no-odd" in [rule["name"] for rule in quarterdeck("policy", "list", "--json").json["rules"]]
    assert quarterdeck("policy", "rollback", "0").code == 0
    assert quarterdeck("policy", "rollback", "1", "--json").json["version"]["document"] == RULES
    assert "+    effect: deny" in quarterdeck("policy", "diff", "2", "3").out
    assert quarterdeck("policy", "diff", "1", "3").out == "They are the same.\n"
    assert quarterdeck("policy", "diff", "0", "1", "--json").json["diff"].count("\n+") == 9
    assert quarterdeck("policy", "diff", "1", "9").code == 3
    assert quarterdeck("policy", "rollback", "9").code == 3
    assert "Back to version 1." in quarterdeck("policy", "versions").out
    versions = quarterdeck("policy", "versions", "--json").json["versions"]
    assert [each["version"] for each in versions] == [3, 2, 1]


def test_what_is_wrong_with_rules_is_said(quarterdeck: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    assert quarterdeck("policy", "apply", str(file)).code == 2
    file.write_text(RULES.replace("deny", "denny"))
    refused = quarterdeck("policy", "apply", str(file), "--json")
    assert refused.code == 2
    assert "applied rules:4: `rules.0.effect`" in refused.json["error"]["message"]
    file.write_bytes(b"\xff")
    assert "UTF-8" in quarterdeck("policy", "apply", str(file)).err
    assert quarterdeck("policy", "apply", "sug_nothing").code == 3


def test_a_session_cannot_change_policy(quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_TOKEN", "of a session")
    assert "A session cannot change policy." in quarterdeck("policy", "rollback", "0").err
    assert quarterdeck("policy", "apply", "sug_x").code == 4


def test_always_proposes_and_applies_only_when_told(quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    said = quarterdeck("approve", asked(quarterdeck, "./odd --now"), "--always").out
    assert "│   - ./odd --now $" in said
    assert "Of what was asked before it would have allowed:\n  ./odd --now" in said
    assert "Not applied. To apply it: quarterdeck policy apply sug_" in said
    assert quarterdeck("policy", "versions", "--json").json == {"versions": []}
    done = quarterdeck("approve", asked(quarterdeck, "./odd --now"), "--always", "--yes", "--json")
    assert (done.json["approval"]["status"], done.json["rules"][0]["applied"]) == ("approved", True)
    assert quarterdeck("policy", "test", "./odd --now", "--json").json["decision"] == "allow"
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert "It is in force" in quarterdeck("approve", asked(quarterdeck, "./odder"), "--always").out
    assert len(quarterdeck("policy", "versions", "--json").json["versions"]) == 2
    said = quarterdeck("approve", asked(quarterdeck, "sudo ./odd"), "--always").out
    assert "No rule is proposed: " in said
    assert quarterdeck("approve", "app_1", "--yes").code == 2


def test_suggestions_come_from_what_was_approved_and_are_applied_by_a_person(quarterdeck: CommandLine) -> None:
    assert quarterdeck("policy", "suggestions").out.startswith("No suggestions.")
    for _ in range(3):
        quarterdeck("approve", asked(quarterdeck, "./odd tidy"))
    (found,) = quarterdeck("policy", "suggestions", "--json").json["suggestions"]
    said = quarterdeck("policy", "suggestions").out
    assert "You approved this 3 times." in said
    assert f"quarterdeck policy apply {found['id']}" in said
    assert quarterdeck("policy", "test", "./odd tidy", "--json").json["decision"] == "ask"
    assert quarterdeck("policy", "apply", found["id"][:8], "--json").json["version"]["version"] == 1
    assert quarterdeck("policy", "test", "./odd tidy", "--json").json["decision"] == "allow"

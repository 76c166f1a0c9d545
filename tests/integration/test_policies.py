"""The rules in force over the API: testing, applying, going back, and what a person's own decisions suggest."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from supervisor.api.client import at
from supervisor.engine.ledger import Transaction
from supervisor.model.approvals import Approval
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.statuses import SessionStatus
from supervisor.store import audit
from tests.support.supervised import Home, Supervised

NO_DEPLOY = """\
# Mine, with its comment.
version: 1
rules:
  - name: no-odd
    effect: deny
    reason: Odd is never run.
    command: ./odd
    match: ./odd --now
    no_match: ./even
"""


async def judged(supervised: Supervised, command: Any, **more: Any) -> dict[str, Any]:
    cwd = str(supervised.repository)
    return await supervised.client.post("/policy/test", {"command": command, "cwd": cwd, **more})


async def approved(supervised: Supervised, *commands: str, yes: bool = True) -> list[dict[str, Any]]:
    """Questions of an agent about commands, as they are stored, and a person's answer to each."""
    session = await supervised.run("sleep", "600")
    session = await supervised.reaches(session, SessionStatus.RUNNING)
    (attempt,) = await supervised.attempts(session)
    desk = supervised.engine.services.desk
    decided = []
    for command in commands:
        asked = {"tool": "Bash", "input": {"command": command}, "act": {"kind": "execute", "command": command}}

        def store(transaction: Transaction, asked: dict[str, Any] = asked) -> Approval:
            judgement = desk.judge(transaction, session, asked)
            return desk.open(transaction, session, attempt, "wait", None, asked, judgement)

        approval = await supervised.engine.services.ledger.commit(store)
        answer = "approve" if yes else "reject"
        decided.append((await supervised.client.post(at("approval", approval.id, answer), {}))["approval"])
    return decided


async def test_a_command_is_judged_in_all_its_parts(supervised: Supervised) -> None:
    found = await judged(supervised, "ls -la && ./odd --now | tee log")
    assert (found["decision"], found["rule"]) == ("ask", "default")
    assert [(each["command"], each["decision"]) for each in found["commands"]][:2] == [
        ("ls -la", "allow"), ("./odd --now", "ask"),
    ]  # fmt: skip
    assert (await judged(supervised, ["ls", "-la"]))["decision"] == "allow"
    assert (await judged(supervised, "rm -rf /"))["decision"] == "deny"
    assert (await judged(supervised, "echo $("))["rule"] == "unclear"
    with pytest.raises(InvalidInput, match="absolute"):
        await supervised.client.post("/policy/test", {"command": "ls", "cwd": "x"})


async def test_rules_are_listed_with_their_sources(home: Home) -> None:
    home.paths.config_file.with_name("policy.yaml").write_text(NO_DEPLOY)
    async with home.supervised() as supervised:
        await supervised.run("true")
        found = await supervised.client.get("/policy")
        layers = {rule["layer"] for rule in found["rules"]}
        assert (found["version"], found["problems"], layers) == (0, [], {"shipped", "user"})
        (mine,) = [rule for rule in found["rules"] if rule["layer"] == "user"]
        assert mine["source"].endswith("policy.yaml:4")
        assert (mine["effect"], mine["patterns"]) == ("deny", ["./odd"])
        project = (await supervised.client.get("/projects"))["projects"][0]
        assert len((await supervised.client.get("/policy", project=project["id"]))["rules"]) == len(found["rules"])


async def test_applied_rules_are_in_force_at_once_and_after_a_restart(home: Home) -> None:
    async with home.supervised() as supervised:
        assert (await judged(supervised, "./odd"))["decision"] == "ask"
        made = (await supervised.client.post("/policy/apply", {"document": NO_DEPLOY, "rationale": "Odd."}))["version"]
        assert (made["version"], made["author"], made["document"]) == (1, "person", NO_DEPLOY)
        assert (await judged(supervised, "./odd"))["rule"] == "no-odd"
        (event,) = [each for each in await supervised.events(None) if each.type == "policy_changed"]
        assert '"version":1' in event.payload
        entries = await supervised.engine.store.read(audit.entries, 0, 100)
        assert entries[-1].action == "policy.apply"
    async with home.supervised() as supervised:
        assert (await judged(supervised, "./odd"))["decision"] == "deny"
        back = (await supervised.client.post("/policy/rollback", {"version": 0}))["version"]
        assert (back["version"], back["document"]) == (2, "")
        assert (await judged(supervised, "./odd"))["decision"] == "ask"
        again = (await supervised.client.post("/policy/rollback", {"version": 1}))["version"]
        assert (again["version"], again["document"]) == (3, NO_DEPLOY)
        assert (await judged(supervised, "./odd"))["decision"] == "deny"
        found = (await supervised.client.get("/policy/versions"))["versions"]
        assert [(each["version"], each["document"]) for each in found] == [(3, NO_DEPLOY), (2, ""), (1, NO_DEPLOY)]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "not YAML"),
        ("version: 2\nrules: []", "version"),
        ("version: 1\nrules: [{name: a}]", "applied rules:2"),
        (NO_DEPLOY.replace("no_match: ./even", "no_match: ./odd"), "must not match"),
        (NO_DEPLOY.replace("no-odd", "make"), "there already"),
    ],
)
async def test_what_is_wrong_is_not_applied(supervised: Supervised, document: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        await supervised.client.post("/policy/apply", {"document": document})
    assert (await supervised.client.get("/policy/versions"))["versions"] == []


async def test_a_change_in_between_is_noticed(supervised: Supervised) -> None:
    rule = yaml.safe_load(NO_DEPLOY)["rules"][0]
    await supervised.client.post("/policy/apply", {"document": NO_DEPLOY, "base": 0})
    with pytest.raises(Refused, match="version 1 is in force, not 0"):
        await supervised.client.post("/policy/apply", {"rule": {**rule, "name": "other"}, "base": 0})
    made = await supervised.client.post("/policy/apply", {"rule": {**rule, "name": "other"}, "base": 1})
    names = [each["name"] for each in yaml.safe_load(made["version"]["document"])["rules"]]
    assert names == ["no-odd", "other"]
    with pytest.raises(NotFound):
        await supervised.client.post("/policy/rollback", {"version": 9})
    with pytest.raises(InvalidInput, match="either"):
        await supervised.client.post("/policy/apply", {})


async def test_a_rule_is_proposed_for_what_was_approved_and_shown_against_history(supervised: Supervised) -> None:
    same, other = await approved(supervised, "./odd --now", "./odd --later")
    found = await supervised.client.post("/policy/propose", {"approval": same["id"]})
    proposal = found["proposal"]
    assert proposal["rule"]["command"] == ["./odd --now $"]
    assert (proposal["would_allow"], proposal["would_ask"]) == (["./odd --now"], ["./odd --later"])
    assert yaml.safe_load(proposal["text"]) == [proposal["rule"]]
    assert (await judged(supervised, "./odd --now"))["decision"] == "ask"
    await supervised.client.post("/policy/apply", {"rule": proposal["rule"], "base": found["version"]})
    assert (await judged(supervised, "./odd --now"))["decision"] == "allow"
    assert (await judged(supervised, "./odd --now --twice"))["decision"] == "ask"
    assert (await judged(supervised, "./odd --now; ./odd --later"))["decision"] == "ask"
    again = await supervised.client.post("/policy/propose", {"approval": same["id"]})
    assert (again["proposal"]["rule"], again["version"]) == (None, 1)
    assert "the rules say allow" in again["proposal"]["reason"]
    assert (await supervised.client.post("/policy/propose", {"approval": other["id"]}))["proposal"]["rule"]


async def test_what_is_approved_often_is_suggested_and_never_applied(supervised: Supervised) -> None:
    await approved(supervised, "./odd tidy", "./odd tidy", "ls && ./odd tidy", "git push origin main")
    await approved(supervised, "./bad 1", "./bad 1", "./bad 1")
    await approved(supervised, "./bad 1", yes=False)
    (found,) = (await supervised.client.get("/policy/suggestions"))["suggestions"]
    assert found["rule"]["command"] == ["./odd tidy $"]
    assert found["reason"] == "You approved this 3 times."
    assert found["would_allow"] == ["ls && ./odd tidy", "./odd tidy"]
    assert set(found["would_ask"]) == {"git push origin main", "./bad 1"}
    assert (await judged(supervised, "./odd tidy"))["decision"] == "ask"


async def test_some_things_are_a_question_of_their_own_each_time(supervised: Supervised) -> None:
    for asked in await approved(supervised, "sudo ./odd", "./odd $(cat x)"):
        proposal = (await supervised.client.post("/policy/propose", {"approval": asked["id"]}))["proposal"]
        assert proposal["rule"] is None
        assert proposal["reason"].endswith(".")
    question = (await supervised.client.post("/questions", {"key": "k", "question": "?"}))["approval"]
    with pytest.raises(Refused, match="not about a call"):
        await supervised.client.post("/policy/propose", {"approval": question["id"]})

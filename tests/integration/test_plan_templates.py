"""Plans made of templates: over the command line, and run for real."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from config.templates import SHIPPED, find_template, own_folder, read_template
from supervisor.engine.plans.exporting import as_json
from supervisor.engine.templates import filled
from supervisor.model.plans import PlanStatus, TaskStatus
from tests.support.commandline import CommandLine
from tests.support.git import commit, git
from tests.support.planruns import RunningPlan, start
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home

P, T = PlanStatus, TaskStatus

OWN = """\
title: Say something
parameters:
  - {name: words, description: What is said., type: text, required: true}
plan:
  id: say
  advance: auto
  tasks:
    - id: say
      environment: {WORDS: "{{words}}"}
      command: printf '%s' "$WORDS" > said.txt
"""

WORK = """\
#!/bin/sh
# What the agent does, by the task that it works on.
set -eu
case "$(git branch --show-current)" in
  *--read) mkdir -p docs/design; echo "say hello" > docs/design/hello.md ;;
  *--build) echo 'echo hello' > hello.sh ;;
  *--prove) echo 'test "$(sh hello.sh)" = hello' > check.sh ;;
  *--refactor) echo 'echo "hello"' > hello.sh ;;
  *--changes) printf '# 1.0.0\\n\\nIt says hello.\\n' > CHANGELOG.md ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def quarterdeck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        script = tmp_path / "script.json"
        work = tmp_path / "work.sh"
        work.write_text(WORK)
        script.write_text(f'[{{"run": "sh {work}"}}, {{"say": "Done."}}]')
        command = ["{python}", "-I", "-S", "{scripted}", "--shape", "claude", "--script", str(script)]
        home.configure(agents={"worker": {"adapter": "claude", "command": command}})
        git(home.repository, "config", "user.name", "Ada")
        git(home.repository, "config", "user.email", "ada@example.org")
        yield home


def own(paths: Paths, name: str, text: str) -> None:
    own_folder(paths).mkdir(parents=True, exist_ok=True)
    (own_folder(paths) / f"{name}.yaml").write_text(text)


async def made(inside: Supervised, template: str, **given: str) -> RunningPlan:
    plan = filled(read_template(SHIPPED / f"{template}.yaml", own=False), given).checked()
    await inside.engine.planning.create(as_json(plan).encode(), "plan.json", inside.repository, PERSON)
    running = RunningPlan(inside, plan.id)
    await start(running)
    return running


async def approved(plan: RunningPlan, task: str) -> None:
    await plan.task_is(task, T.WAITING_APPROVAL)
    await plan.decide(approve=True)


async def test_a_feature_is_built_by_two_agents_and_merged(home: Home) -> None:
    async with home.supervised() as inside:
        branch = git(inside.repository, "branch", "--show-current").strip()
        plan = await made(inside, "feature", id="hello", goal="It says hello.", test="sh check.sh", agent="worker")
        await approved(plan, "plan")
        await approved(plan, "review")
        assert not (inside.repository / "hello.sh").exists(), "nothing is merged before the review"
        shown = await plan.reaches(P.COMPLETED)
        assert {task.status for task in shown.tasks} == {T.COMPLETED}
        assert git(inside.repository, "branch", "--show-current").strip() == branch
        assert git(inside.repository, "log", "-1", "--format=%s").strip() == "Merge the plan hello"
        assert (inside.repository / "hello.sh").read_text() == "echo hello\n"
        assert git(inside.repository, "status", "--porcelain") == ""


async def test_what_does_not_merge_leaves_the_repository_as_it_was(home: Home) -> None:
    async with home.supervised() as inside:
        commit(inside.repository, {"hello.sh": "echo no\n"})
        plan = await made(inside, "refactor", id="tidy", what="hello.sh", test="test -e hello.sh", agent="worker")
        await plan.task_is("review", T.WAITING_APPROVAL)
        before = commit(inside.repository, {"hello.sh": "echo perhaps\n"})
        await plan.decide(approve=True)
        await plan.reaches(P.FAILED)
        assert "It was not merged" in (await plan.task("merge")).reason.text
        assert git(inside.repository, "rev-parse", "HEAD") == before
        assert git(inside.repository, "status", "--porcelain") == ""


async def test_a_release_is_tagged_and_published_after_the_approval(home: Home) -> None:
    async with home.supervised() as inside:
        plan = await made(
            inside, "release", id="next", version="1.0.0", test="true", agent="worker",
            publish='git show "v$VERSION:CHANGELOG.md" > ../published',
        )  # fmt: skip
        await plan.task_is("review", T.WAITING_APPROVAL)
        assert git(inside.repository, "tag") == ""
        await plan.decide(approve=True)
        shown = await plan.reaches(P.COMPLETED)
        assert git(inside.repository, "tag").split() == ["v1.0.0"]
        published = Path(str(shown.plan.worktree)).parent / "published"
        assert published.read_text() == "# 1.0.0\n\nIt says hello.\n"
        again = await made(inside, "release", id="again", version="1.0.0", test="true", agent="worker")
        await again.reaches(P.FAILED)
        assert "There is a tag v1.0.0 already." in (await again.task("free")).reason.text


async def test_no_value_breaks_out_of_a_command(home: Home, tmp_path: Path) -> None:
    touch = f"touch {tmp_path}/broken"
    words = f"'\"; {touch}; $({touch}) `{touch}`\n&& {touch} #"
    async with home.supervised() as inside:
        own(home.paths, "say", OWN)
        plan = filled(find_template(home.paths, "say"), {"words": words}).checked()
        await inside.engine.planning.create(as_json(plan).encode(), "plan.json", inside.repository, PERSON)
        running = RunningPlan(inside, plan.id)
        await start(running)
        await running.reaches(P.COMPLETED)
        assert await running.file("said.txt") == words
        assert not (tmp_path / "broken").exists()


class TestCommandLine:
    def test_all_are_listed_with_where_they_are_from(self, quarterdeck: CommandLine) -> None:
        own(quarterdeck.paths, "say", OWN)
        own(quarterdeck.paths, "bad", OWN.replace("words, d", "woods, d"))
        found = {each["name"]: each for each in quarterdeck("plan", "template", "list", "--json").json["templates"]}
        assert found.keys() == {"bad", "feature", "refactor", "release", "say"}
        assert found["feature"]["from"] == "shipped"
        assert found["say"]["from"] == str(own_folder(quarterdeck.paths) / "say.yaml")
        assert "bad.yaml:9: there is no parameter `words`. Did you mean `woods`?" in found["bad"]["problem"]
        printed = quarterdeck("plan", "template", "list").out
        assert "Say something" in printed
        assert "there is no parameter `words`" in printed
        assert not (quarterdeck.home / "state").exists()

    def test_one_is_shown_with_its_parameters(self, quarterdeck: CommandLine) -> None:
        shown = quarterdeck("plan", "template", "show", "refactor", "--json").json["template"]
        assert [each["name"] for each in shown["parameters"] if each["required"]] == ["id", "what", "test"]
        assert [task["id"] for task in shown["plan"]["tasks"]] == ["before", "refactor", "after", "review", "merge"]
        said = quarterdeck("plan", "template", "show", "refactor").out
        assert "plan template new refactor --param id=… --param what=… --param test=…" in said
        missing = quarterdeck("plan", "template", "show", "refacter")
        assert (missing.code, "Did you mean refactor?" in missing.err) == (3, True)

    def test_a_plan_is_made_and_validates(self, quarterdeck: CommandLine) -> None:
        own(quarterdeck.paths, "say", OWN)
        made = quarterdeck("plan", "template", "new", "say", "--param", "words=a=b: c", "--output", "say.yaml")
        assert made.code == 0
        assert "say.yaml: say, 1 task." in made.out
        assert quarterdeck("plan", "validate", "say.yaml").code == 0
        printed = quarterdeck("plan", "template", "new", "say", "--param", "words=a=b: c").out
        assert printed == Path("say.yaml").read_text()
        assert "WORDS: 'a=b: c'" in printed
        answer = quarterdeck("plan", "template", "new", "say", "-p", "words=x", "--json").json
        assert (answer["plan"], answer["output"], "WORDS: x" in answer["document"]) == ("say", None, True)

    def test_no_file_is_written_over(self, quarterdeck: CommandLine) -> None:
        own(quarterdeck.paths, "say", OWN)
        Path("say.yaml").write_text("mine")
        refused = quarterdeck("plan", "template", "new", "say", "--param", "words=x", "--output", "say.yaml")
        assert (refused.code, Path("say.yaml").read_text()) == (4, "mine")
        assert quarterdeck("plan", "template", "new", "say", "-p", "words=x", "-o", "no/say.yaml").code == 2

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ((), "needs words. --param words=…"),
            (("--param", "words"), "--param words has no value"),
            (("--param", "words=a", "--param", "words=b"), "given twice"),
            (("--param", "words=a", "--param", "word=b"), "Did you mean words?"),
            (("--param", "words= "), "The parameter words: it says nothing"),
        ],
    )
    def test_what_is_wrong_with_parameters_is_said(
        self, quarterdeck: CommandLine, arguments: tuple[str, ...], says: str
    ) -> None:
        own(quarterdeck.paths, "say", OWN)
        refused = quarterdeck("plan", "template", "new", "say", *arguments)
        assert refused.code == 2
        assert says in refused.err

    def test_on_a_terminal_it_asks(self, quarterdeck: CommandLine) -> None:
        own(quarterdeck.paths, "say", OWN)
        leader, follower = os.openpty()
        answers: list[Any] = []
        os.write(leader, b" \nhello there\n")
        with os.fdopen(follower, "r") as terminal, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", terminal)
            answers.append(quarterdeck("plan", "template", "new", "say"))
        os.close(leader)
        assert "WORDS: hello there" in answers[0].out
        assert "What is said.: " in answers[0].err
        assert "it says nothing." in answers[0].err

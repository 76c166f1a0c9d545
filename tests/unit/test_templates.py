"""Templates: what is shipped makes plans that validate, and no value changes what a plan is made of."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.paths import Paths
from config.templates import SHIPPED, Parameter, Template, find_template, own_folder, read_template, template_files
from supervisor.engine.plans.exporting import as_yaml, canonical
from supervisor.engine.plans.reading import read
from supervisor.engine.templates import check, filled, missing
from supervisor.model.errors import ConfigError, InvalidInput, NotFound

NEEDED = {
    "feature": {"id": "search", "goal": "People find entries by their tags."},
    "refactor": {"id": "tidy", "what": "Split the parser.", "test": "make test"},
    "release": {"id": "next", "version": "1.4.0", "test": "make test"},
}
NASTY = '\'; touch /tmp/x; "$(id)" `id` ${HOME} && {{id}} #\n- a: b\n  c: !!python/object\n\t| > & * %\\'


def template(folder: Path, text: str, name: str = "mine") -> Template:
    path = folder / f"{name}.yaml"
    path.write_text(textwrap.dedent(text))
    return read_template(path, own=True)


def wrong(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(template(folder, text))
    return str(caught.value)


def one(placed: str, declared: str = "{name: x, description: An x., required: true, type: text}") -> str:
    """A template with one parameter that is placed somewhere in a task."""
    return f"""\
title: One
parameters: [{declared}]
plan:
  id: one
  tasks:
    - id: a
      {placed}
"""


def shipped(name: str, **given: str) -> dict[str, Any]:
    return canonical(filled(read_template(SHIPPED / f"{name}.yaml", own=False), NEEDED[name] | given).checked())


class TestShipped:
    @pytest.mark.parametrize("name", NEEDED)
    def test_each_makes_a_plan_without_a_doubt(self, name: str) -> None:
        found = read_template(SHIPPED / f"{name}.yaml", own=False)
        assert {each.name for each in missing(found, {})} == NEEDED[name].keys()
        reading = filled(found, NEEDED[name])
        assert (reading.errors, reading.warnings) == ((), ())
        again = read(as_yaml(reading.checked()).encode(), "plan.yaml")
        assert again.plan == reading.plan

    def test_all_of_them_are_known_here(self) -> None:
        assert {path.stem for path in SHIPPED.iterdir()} == NEEDED.keys()

    def test_two_agents_work_in_parallel_between_two_gates(self) -> None:
        tasks = {task["id"]: task for task in shipped("feature", agent="scripted")["tasks"]}
        assert [tasks[each]["needs"] for each in ("plan", "build", "prove", "test", "review", "merge")] == [
            ["read"], ["plan"], ["plan"], ["build", "prove"], ["test"], ["review"],
        ]  # fmt: skip
        assert {tasks[each]["workspace"] for each in ("build", "prove")} == {"own"}
        assert {tasks[each]["agent"] for each in ("read", "build", "prove")} == {"scripted"}
        assert tasks["plan"]["approval"]
        assert tasks["review"]["approval"]

    def test_without_an_agent_the_configured_one_works(self) -> None:
        assert not any("agent" in task for task in shipped("feature")["tasks"])

    def test_no_test_command_is_said_when_it_runs(self) -> None:
        tasks = {task["id"]: task for task in shipped("feature")["tasks"]}
        assert "No tests ran" in tasks["test"]["command"]
        assert {task["id"]: task for task in shipped("feature", test="make test | tee log")["tasks"]}["test"][
            "command"
        ] == "make test | tee log"


def skeleton(value: Any, freed: frozenset[str]) -> Any:
    """A document without the texts that people read."""
    if isinstance(value, dict):
        return {key: "…" if key in freed else skeleton(each, freed) for key, each in value.items()}
    return [skeleton(each, freed) for each in value] if isinstance(value, list) else value


READ_BY_PEOPLE = frozenset({"objective", "prompt", "title", "definition_of_done", "constraints"})
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]) | st.just("\n"), max_size=200).filter(str.strip)


class TestValues:
    @pytest.mark.parametrize(("name", "parameter"), [("feature", "goal"), ("feature", "done"), ("refactor", "what")])
    @given(text=texts | st.just(NASTY))
    def test_a_text_is_only_ever_a_text(self, name: str, parameter: str, text: str) -> None:
        usual, made = shipped(name), shipped(name, **{parameter: text})
        assert skeleton(made, READ_BY_PEOPLE) == skeleton(usual, READ_BY_PEOPLE)
        assert text in (made["objective"], *made["definition_of_done"])
        plan = read_template(SHIPPED / f"{name}.yaml", own=False)
        found = filled(plan, NEEDED[name] | {parameter: text}).checked()
        assert read(as_yaml(found).encode(), "plan.yaml").checked() == found

    def test_a_value_is_not_looked_at_again(self) -> None:
        assert shipped("feature", goal="{{id}} and {{agent}}")["objective"] == "{{id}} and {{agent}}"

    @pytest.mark.parametrize(
        ("type_", "value", "says"),
        [
            ("name", "-rf", "begins with a letter"),
            ("name", "a b", "begins with a letter"),
            ("name", "a\n", "begins with a letter"),
            ("line", "a\nb", "one line"),
            ("line", "a\u2028b", "one line"),
            ("text", " \n", "says nothing"),
            ("text", "a\x1b[2J", "control"),
            ("text", "a\udcff", "UTF-8"),
            ("command", "a\0b", "control"),
            ("number", "1.5", "whole number"),
            ("number", "٣", "whole number"),
            ("flag", "yes", "true or false"),
        ],
    )
    def test_what_cannot_be_a_value_is_refused(self, type_: Any, value: str, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            Parameter(name="x", description="An x.", type=type_).value(value)

    def test_numbers_and_flags_keep_their_types(self, tmp_path: Path) -> None:
        found = template(
            tmp_path,
            """\
            title: Typed
            parameters:
              - {name: tries, description: Tries., type: number, default: 3}
              - {name: safe, description: Safe., type: flag, default: true}
            plan:
              id: typed
              tasks:
                - {id: a, title: "{{tries}} tries, {{ safe }}", retry: "{{tries}}", idempotent: "{{safe}}"}
            """,
        )
        task = filled(found, {"tries": "5"}).checked().tasks[0]
        assert (task.retry and task.retry.attempts, task.idempotent, task.title) == (5, True, "5 tries, true")

    def test_unknown_wrong_and_missing_ones_are_named(self) -> None:
        found = read_template(SHIPPED / "feature.yaml", own=False)
        with pytest.raises(InvalidInput, match=r"has no parameter 'gaol'. Did you mean goal"):
            filled(found, {"gaol": "x"})
        with pytest.raises(InvalidInput, match=r"The parameter id: a name begins"):
            filled(found, {"id": "a b"})
        with pytest.raises(InvalidInput, match=r"needs id, goal. --param id=… --param goal=…"):
            filled(found, {})


class TestWhereParametersMayStand:
    @pytest.mark.parametrize(
        "placed",
        [
            'command: "echo {{x}}"',
            "command: 'echo \"{{x}}\"'",
            'command: "{{x}}"',
            'cmd: "{{x}}"',
            'commands: ["true", "echo {{ x }}"]',
            'rollback: ["rm {{x}}"]',
            'checks: ["test -e {{x}}"]',
            "preconditions: [\"len('{{x}}') > 0\"]",
            'successCriteria: ["{{x}}"]',
            'subplan: {tasks: [{id: b, command: "{{x}}"}]}',
            'db: {url: "sqlite:x", sql: "SELECT {{x}}"}',
            'git: "tag {{x}}"',
            'git: {command: "tag {{x}}"}',
            'git: [tag, "{{x}}"]',
            'http: "https://{{x}}/"',
            'http: {url: "https://example.org", headers: {A: "{{x}}"}}',
            'failure_modes: [{name: a, recover: "{{x}}"}]',
        ],
    )
    def test_a_text_cannot_stand_where_something_reads_it(self, tmp_path: Path, placed: str) -> None:
        said = wrong(tmp_path, one(placed))
        assert said.startswith(f"{tmp_path}/mine.yaml:7: `{{{{")
        assert "cannot stand here" in said

    @pytest.mark.parametrize(
        "placed",
        [
            'environment: {COMMAND: "{{x}}"}',
            'inputs: {checks: "{{x}}"}',
            'metadata: {commands: ["{{x}}"]}',
            'prompt: "Do {{x}} and {{x}}"',
            'git: [commit, "--message={{x}}"]',
            'http: {url: "https://example.org", method: POST, body: "{{x}}"}',
        ],
    )
    def test_a_text_can_stand_where_it_is_data(self, tmp_path: Path, placed: str) -> None:
        plan = canonical(filled(template(tmp_path, one(placed)), {"x": NASTY}).checked())
        assert any(NASTY in text for text in as_data(plan))

    def test_a_git_argument_is_one_argument(self, tmp_path: Path) -> None:
        found = template(tmp_path, one('git: [tag, -m, "Version {{x}}", "v{{x}}"]'))
        git = filled(found, {"x": "1 -f --delete"}).checked().tasks[0].git
        assert git is not None
        assert git.arguments == ("tag", "-m", "Version 1 -f --delete", "v1 -f --delete")

    def test_a_command_is_the_whole_of_it(self, tmp_path: Path) -> None:
        declared = "{name: x, description: An x., required: true, type: command}"
        found = template(tmp_path, one('command: "{{x}}"', declared))
        assert filled(found, {"x": "a | b"}).checked().tasks[0].command == "a | b"
        assert "all of it" in wrong(tmp_path, one('command: "cd /; {{x}}"', declared))

    def test_keys_take_none(self, tmp_path: Path) -> None:
        assert "a key takes no parameter" in wrong(tmp_path, one('environment: {"{{x}}": "1"}'))

    def test_what_may_be_absent_stands_alone(self, tmp_path: Path) -> None:
        declared = "{name: x, description: An x.}"
        assert "stands alone" in wrong(tmp_path, one('prompt: "Do {{x}}"', declared))
        plan = filled(template(tmp_path, one('labels: [a, "{{x}}"]', declared)), {}).checked()
        assert plan.tasks[0].labels == ("a",)

    def test_unknown_and_unused_ones_are_named(self, tmp_path: Path) -> None:
        assert "there is no parameter `y`" in wrong(tmp_path, one('prompt: "{{y}}"'))
        assert "nothing uses the parameter `x`" in wrong(tmp_path, one("prompt: Do it"))


def as_data(value: Any) -> list[Any]:
    """The texts in a document."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for one in inner for each in as_data(one)]
    return [*found, value] if isinstance(value, str) else found


def test_the_documented_one_makes_a_plan(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "plan-templates.md").read_text()
    begin = text.index("    title: Update a dependency")
    found = template(tmp_path, text[begin : text.index("\n\n", begin)])
    reading = filled(found, {"package": "left-pad"})
    assert (reading.warnings, reading.checked().id) == ((), "update-left-pad")


class TestFiles:
    def test_ones_own_stand_before_shipped_ones(self, tmp_path: Path) -> None:
        paths = Paths.below(tmp_path)
        own_folder(paths).mkdir()
        template(own_folder(paths), one('prompt: "{{x}}"'), "feature")
        template(own_folder(paths), one('prompt: "{{x}}"'), "mine")
        (own_folder(paths) / "Not a name.yaml").write_text("")
        assert {name: own for name, (_, own) in template_files(paths).items()} == {
            "feature": True, "mine": True, "refactor": False, "release": False,
        }  # fmt: skip
        assert find_template(paths, "feature").document.title == "One"
        with pytest.raises(NotFound, match="Did you mean mine"):
            find_template(paths, "mien")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("title: A\nplan: {}\nparametres: []\n", ":3: `parametres`: there is no such key"),
            ("title: A\n", "`plan`: this is needed"),
            ("title: A\nplan: {}\nparameters:\n  - {name: A, description: x}\n", ":4: `parameters.0.name`"),
            (
                "title: A\nplan: {}\nparameters:\n  - {name: a, description: x, type: number, default: '1'}\n",
                "no number",
            ),
            (
                "title: A\nplan: {}\nparameters:\n  - {name: a, description: x, required: true, default: b}\n",
                "keep one",
            ),
            (
                "title: A\nplan: {}\nparameters:\n  - {name: a, description: x, type: name, default: a b}\n",
                "a name beg",
            ),
            ("title: A\nplan: {}\nparameters: [{name: a, description: x}, {name: a, description: x}]\n", "twice"),
            ("- a\n", ":1: "),
            ("title: [\n", "this is not YAML"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(self, tmp_path: Path, text: str, says: str) -> None:
        with pytest.raises(ConfigError) as caught:
            template(tmp_path, text)
        assert says in str(caught.value)
        assert str(tmp_path) in str(caught.value)

    def test_a_problem_of_the_plan_has_the_templates_line(self, tmp_path: Path) -> None:
        reading = filled(template(tmp_path, one('prompt: "{{x}}"\n      need: [b]')), {"x": "y"})
        assert [(each.line, each.path) for each in reading.errors] == [(8, "tasks[0].need")]

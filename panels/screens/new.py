"""The dialog that starts a session: who, where, what; everything else is folded away."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Collapsible, Input, OptionList, Select, Static, TextArea
from textual.widgets.option_list import Option

from panels import remembered
from panels.dialogs import Choose, Dialog
from panels.remembered import Remembered
from panels.shell import Json, shell
from panels.view.model import Topic
from panels.view.starting import (
    COMMAND,
    EXECUTORS,
    Fields,
    Refusal,
    WrongField,
    agent_line,
    as_last_time,
    first_agent,
    first_folder,
    in_order,
    more_title,
    request,
)
from panels.widgets.dialogkeys import DialogKey, DialogKeys
from supervisor.api.environment import passed_on
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plain import clean
from supervisor.model.times import now_ms

if TYPE_CHECKING:
    from panels.app import QuarterdeckApp


class Folder(Input):
    """Where it works; down lists the projects that are known."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("down", "projects", "Known projects", show=False)]

    def __init__(self, value: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(value, placeholder="A git repository; ↓ lists those you know", id=id, compact=True)
        self.known: Sequence[str] = ()

    def know(self, roots: Sequence[str]) -> None:
        """Take the folders that are suggested."""
        self.known = roots
        self.suggester = SuggestFromList(roots, case_sensitive=True) if roots else None

    def action_projects(self) -> None:
        """Choose one of the known projects."""
        if self.known:
            self.app.push_screen(Choose("Known projects", [(root, root) for root in self.known]), self._took)

    def _took(self, root: str | None) -> None:
        if root is not None:
            self.value = root


_INPUTS = ("folder", "command", "image", "base", "branch", "name", "budget")
"""The fields of one line, by the names that `Fields` has for them."""


class NewSession(Dialog[str]):
    """Starts a session; its result is the session's id. What was typed stays when the supervisor refuses."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start", priority=True),
        Binding("ctrl+e", "editor", "In $EDITOR", priority=True),
    ]
    DEFAULT_CSS = """
    NewSession > .dialog { max-width: 100; }
    NewSession .fields { height: auto; max-height: 100%; }
    NewSession .field { height: auto; }
    NewSession .label { width: 9; height: 1; color: $text-muted; }
    NewSession .field Input, NewSession .field Select, NewSession .field TextArea { width: 1fr; }
    NewSession OptionList {
        height: 4; width: 1fr; border: none; padding: 0; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    NewSession OptionList > .option-list--option { padding: 0; }
    NewSession TextArea { height: 6; border: none; padding: 0; background: $panel; }
    NewSession Input { background: $panel; }
    NewSession Collapsible { border: none; padding: 0; background: $surface; }
    NewSession Collapsible Contents { padding: 0; }
    NewSession #problem { display: none; height: auto; color: $text-error; }
    NewSession #last { display: none; height: 1; color: $text-muted; }
    NewSession #problem.-shown, NewSession #last.-shown { display: block; }
    NewSession .-away { display: none; }
    """

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self._prompt = prompt
        self._last = Remembered()
        self._starting = False
        self._refusal: Refusal | None = None

    def compose(self) -> ComposeResult:
        """Put in the fields, as the last time where that makes sense."""
        self._last = last = remembered.load(self._state)
        with Vertical(classes="dialog"):
            yield Static("New session", classes="dialog-title")
            with VerticalScroll(classes="fields", can_focus=False):
                yield self._field("Agent", OptionList(id="agent", markup=False, compact=True))
                yield self._field("Folder", Folder(first_folder(_here(), last.folder), id="folder"))
                yield self._field("Prompt", TextArea(self._prompt, soft_wrap=True, id="prompt"), "prompt-field")
                command = Input(placeholder="make test", id="command", compact=True)
                yield self._field("Command", command, "command-field")
                with Collapsible(title="More", id="more"):
                    executors = [(label, value) for value, label in EXECUTORS.items()]
                    chosen = last.executor if last.executor in EXECUTORS else ""
                    select = Select(executors, value=chosen, allow_blank=False, compact=True, id="executor")
                    yield self._field("Runs", select)
                    yield self._input("Image", "image", "", "as the profile says", "image-field")
                    yield self._input("Base", "base", "", "the default branch")
                    yield self._input("Branch", "branch", "", "qd/<session>")
                    yield self._input("Name", "name", "", "made up")
                    yield self._input("Budget", "budget", last.budget, "US dollars; empty: as configured")
            yield Static("", id="last", markup=False)
            yield Static("", id="problem", markup=False)
            yield DialogKeys(
                DialogKey("^s", "Start", "screen.start"),
                DialogKey("esc", "Cancel", "screen.dismiss_none"),
                DialogKey("tab", "Next"),
                DialogKey("^e", "In $EDITOR", "screen.editor"),
            )

    def _field(
        self, label: str, widget: Input | OptionList | Select[str] | TextArea, row: str | None = None
    ) -> Horizontal:
        return Horizontal(Static(label, classes="label"), widget, classes="field", id=row)

    def _input(self, label: str, name: str, value: str, hint: str, row: str | None = None) -> Horizontal:
        return self._field(label, Input(value, placeholder=hint, compact=True, id=name), row)

    def on_mount(self) -> None:
        """Offer the agents, and read which projects there are; before the app has connected none are known."""
        shell(self).changes.subscribe(self, self._heard)
        self._offer()
        # The next thing to do: choose who where nothing was written yet, else look it over in the prompt.
        (self.query_one(TextArea) if self._prompt else self.query_one("#agent")).focus()
        shell(self).perform(self._read_projects, self._take_projects)

    def _heard(self, topics: frozenset[Topic]) -> None:
        if "supervisor" in topics and not self.query_one("#agent", OptionList).option_count:
            self._offer()

    def _offer(self) -> None:
        """List the agents, one of them chosen."""
        agents, known = self.query_one("#agent", OptionList), shell(self).view.agents
        for agent in in_order(known):
            line = Content(clean(agent_line(agent, now_ms())))
            agents.add_option(Option(line, id=agent["name"], disabled=not agent["installed"]))
        wanted = first_agent(known, self._last.agent, has_prompt=bool(self._prompt))
        if wanted:
            agents.highlighted = agents.get_option_index(wanted)
        self._fields_changed()

    async def _read_projects(self) -> Json:
        return await shell(self).client.get("/projects")

    def _take_projects(self, found: Json) -> None:
        if not self.is_mounted:
            return
        roots = [project["root"] for project in found["projects"]]
        folder = self.query_one(Folder)
        folder.know(roots)
        if not folder.value:
            folder.value = first_folder(_here(), self._last.folder, roots)

    @property
    def _state(self) -> Path:
        return cast("QuarterdeckApp", self.app).paths.state

    def fields(self) -> Fields:
        """Return what stands in the dialog."""
        agents = self.query_one("#agent", OptionList)
        name = ""
        if agents.highlighted is not None:
            name = agents.get_option_at_index(agents.highlighted).id or ""
        known = {agent["name"]: agent["adapter"] for agent in shell(self).view.agents}
        typed = {each: self.query_one(f"#{each}", Input).value for each in _INPUTS}
        return Fields(
            agent=name,
            is_command=known.get(name) == COMMAND,
            prompt=self.query_one("#prompt", TextArea).text,
            executor=str(self.query_one("#executor", Select).value),
            **typed,
        )

    def _fields_changed(self) -> None:
        """Show what applies: a command line or a prompt, the image of a container, what the folded part says.

        Why it could not be started is said until that is changed.
        """
        fields = self.fields()
        if self._refusal is not None and self._refusal.is_over(fields):
            self._refusal = None
            self._say("")
        self.query_one("#prompt-field").set_class(fields.is_command, "-away")
        self.query_one("#command-field").set_class(not fields.is_command, "-away")
        self.query_one("#image-field").set_class(fields.executor != "docker", "-away")
        self.query_one(Collapsible).title = more_title(fields)
        last, said = as_last_time(fields, self._last.executor), self.query_one("#last", Static)
        said.update(last)
        said.set_class(bool(last), "-shown")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The agent under the cursor is the chosen one."""
        self._fields_changed()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go on with the next field."""
        self.focus_next()

    def on_select_changed(self, event: Select.Changed) -> None:
        """Show what applies to where it runs."""
        self._fields_changed()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say on the folded part what is in it."""
        self._fields_changed()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """A prompt may be what was missing."""
        self._fields_changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on with the next field."""
        self.focus_next()

    def action_editor(self) -> None:
        """Go on writing the prompt, or the command line, in the person's editor."""
        if self.fields().is_command:
            command = self.query_one("#command", Input)
            if (edited := shell(self).edit(command.value, ".sh")) is not None:
                command.value = " ".join(edited.splitlines())
            return
        area = self.query_one("#prompt", TextArea)
        if (edited := shell(self).edit(area.text)) is not None:
            area.text = edited

    def action_start(self) -> None:
        """Start it; an error is shown here and changes nothing of what was typed."""
        if self._starting:
            return
        fields = self.fields()
        try:
            body = request(fields, passed_on(os.environ))
        except WrongField as error:
            self._refused(str(error), Refusal(fields, error.field))
            return
        self._starting, self._refusal = True, None
        self._say("Starting …")
        shell(self).perform(lambda: self._post(body), lambda answer: self._answered(answer, fields))

    async def _post(self, body: Json) -> Json | QuarterdeckError:
        try:
            answer: Json = await shell(self).client.post("/sessions", body)
        except QuarterdeckError as error:
            return error
        return answer

    def _answered(self, answer: Json | QuarterdeckError, fields: Fields) -> None:
        self._starting = False
        if isinstance(answer, QuarterdeckError):
            if self.is_mounted:
                self._refused(str(answer), Refusal(fields))
            else:
                shell(self).say(str(answer), severity="error")
            return
        session = answer["session"]
        try:
            kept = remembered.load(self._state)  # Another theme may have been taken meanwhile.
            chosen = {"agent": fields.agent, "executor": fields.executor, "folder": fields.folder}
            remembered.save(self._state, replace(kept, budget=fields.budget, **chosen))
        except OSError as error:
            shell(self).say(f"The choices are not remembered: {error.strerror}.", severity="warning")
        shell(self).view.take_sessions([session])
        if self.is_mounted:
            self.dismiss(session["id"])

    def _refused(self, why: str, refusal: Refusal) -> None:
        self._say(why)
        self._refusal = refusal
        self._fields_changed()  # It may have been changed while the supervisor was asked.

    def _say(self, problem: str) -> None:
        said = self.query_one("#problem", Static)
        said.update(clean(problem))
        said.set_class(bool(problem), "-shown")


def _here() -> Path:
    """Return the working directory of the app; the root when it was removed meanwhile."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")

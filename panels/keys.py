"""What every key does: one table that bindings, footer, help and palette are made from.

One key means one thing in every panel, and an action has one key: `tests/unit/test_panels_keys.py` holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from textual.binding import Binding

Kind = Literal["go", "move", "act", "look", "app"]

KINDS: Final[dict[Kind, str]] = {
    "go": "Go to",
    "move": "Move",
    "act": "Act",
    "look": "Look",
    "app": "The app",
}
"""In the order of the help screen."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key (Textual's names, several with commas), the action it starts, and what it is called.

    ``label`` stands in the footer, ``help`` in the help screen; ``shown`` is how the key is written there.
    """

    keys: str
    action: str
    label: str
    help: str
    kind: Kind
    shown: str | None = None
    footer: bool = True


_TABLE: Final = (
    Key("1", "panel('fleet')", "Fleet", "all sessions, what each does now", "go", footer=False),
    Key("2", "panel('approvals')", "Approvals", "what waits for your decision", "go", footer=False),
    Key("3", "panel('monitor')", "Monitor", "live events, alerts, budgets, queue", "go", footer=False),
    Key("4", "panel('plans')", "Plans", "plans as lists and drawings", "go", footer=False),
    Key("5", "panel('history')", "History", "who did what: the audit log", "go", footer=False),
    Key("6", "panel('insights')", "Insights", "what work costs, by anything, and budgets", "go", footer=False),
    Key("7", "panel('settings')", "Settings", "what is installed, settings and rules in force", "go", footer=False),
    Key("escape", "back", "Back", "close what is open; at the top nothing", "go", "esc", footer=False),
    Key("down,j", "down", "Down", "next line", "move", "j ↓", footer=False),
    Key("up,k", "up", "Up", "previous line", "move", "k ↑", footer=False),
    Key("pagedown,ctrl+d", "page_down", "Page down", "a page further", "move", "PgDn", footer=False),
    Key("pageup,ctrl+u", "page_up", "Page up", "a page back", "move", "PgUp", footer=False),
    Key("g", "top", "Top", "twice: the first line", "move", "gg", footer=False),
    Key("home", "first", "First", "the first line", "move", footer=False),
    Key("G,end", "bottom", "Bottom", "the last line; a live log follows from there", "move", "G", footer=False),
    Key("left,h", "left", "Left", "to the left", "move", "h ←", footer=False),
    Key("right,l", "right", "Right", "to the right", "move", "l →", footer=False),
    Key("tab", "app.focus_next", "Next pane", "the next pane", "move", footer=False),
    Key("shift+tab", "app.focus_previous", "Previous pane", "the previous pane", "move", "⇧tab", footer=False),
    Key("enter", "open", "Open", "open it; a live terminal is attached to (its prefix + d comes back)", "act", "⏎"),
    Key("a", "approve", "Approve", "allow it, once; where not all of it can be read, show it first", "act"),
    Key("A", "approve_always", "Always", "allow it and propose a rule; shows what the rule matches", "act"),
    Key("r", "reject", "Reject", "refuse it; where not all of it can be read, show it first", "act"),
    Key("R", "reject_reason", "Reject, say why", "refuse it with a reason that reaches who asked", "act"),
    Key("b", "begin", "Start", "start a plan", "act"),
    Key("full_stop", "advance", "Next task", "let the next task of a plan run", "act", "."),
    Key("greater_than_sign", "advance_level", "All ready", "let all tasks of a plan run that are ready", "act", ">"),
    Key("D", "complete", "Done", "say that a task is done, and what shows it", "act", footer=False),
    Key("m", "message", "Message", "send a message; one that has ended goes on with it", "act"),
    Key("x", "stop", "Stop", "stop it; asks first, its work stays", "act"),
    Key("d", "diff", "Diff", "what was changed", "look"),
    Key("n", "new", "New", "start an agent or a command", "act"),
    Key("w", "next_waiting", "Next waiting", "the next one that waits for you", "go"),
    Key("slash", "search", "Search", "search or filter; empty shows everything", "look", "/"),
    Key("N", "new_prompt", "New from editor", "write the prompt in $EDITOR, then start", "act", footer=False),
    Key("p", "pause", "Pause", "freeze it, or let it go on", "act"),
    Key(
        "ctrl+r",
        "restart",
        "Restart",
        "start one that has ended once more, a session or a task",
        "act",
        "^r",
        footer=False,
    ),
    Key("delete", "archive", "Archive", "put one that has ended away", "act", "del", footer=False),
    Key(
        "space",
        "mark",
        "Mark",
        "mark it, to act on several; in a diff: reviewed",
        "act",
        "␣",
        footer=False,
    ),
    Key("c", "comment", "Comment", "note a comment on this line; comments are sent to the agent together", "act"),
    Key("S", "send_comments", "Send comments", "send the comments to the agent", "act"),
    Key("e", "edit", "Edit", "open it in $EDITOR; a plan is revised so", "act", footer=False),
    Key("C", "commit", "Commit", "commit everything in the worktree", "act"),
    Key("M", "merge", "Merge", "merge the branch", "act"),
    Key("P", "push", "Push", "push the branch", "act", footer=False),
    Key("B", "bundle", "Bundle", "write the branch to a file", "act", footer=False),
    Key("u", "undo", "Undo", "take it back: the last change, or by its commands what a task did", "act"),
    Key("U", "lift", "Let go on", "let what a budget has stopped use as much again; asks first", "act"),
    Key("X", "dismiss", "Dismiss", "dismiss an alert", "act"),
    Key("K", "acknowledge", "Acknowledge", "say that you have seen an alert", "act"),
    Key("L", "clear", "Clear", "empty the view; the history stays", "act", footer=False),
    Key("f", "filter", "Filter", "show only some kinds", "look"),
    Key("v", "view", "View", "open its log, also where it could be attached to", "look", footer=False),
    Key("O", "order", "Order", "put the lines in another order: by the next figure", "look"),
    Key("z", "schedules", "Schedules", "what runs by itself: when next, what came of it", "look"),
    Key("o", "fold", "Fold", "open or close what is folded", "look", footer=False),
    Key("s", "side", "Side by side", "the diff side by side, or in one column", "look"),
    Key("i", "explain", "Why", "why it is so", "look", footer=False),
    Key("T", "replay", "Replay", "show the log as it was at a moment; ← and → move it", "look"),
    Key("right_curly_bracket", "next_file", "Next file", "the next file of the diff", "move", "}", footer=False),
    Key("left_curly_bracket", "previous_file", "Previous file", "the file before", "move", "{", footer=False),
    Key("left_square_bracket", "previous_pane", "Previous view", "the view to the left", "look", "[", footer=False),
    Key("right_square_bracket", "next_pane", "Next view", "the view to the right", "look", "]"),
    Key("f5", "refresh", "Refresh", "read it again", "look", "F5", footer=False),
    Key("question_mark", "help", "Help", "this help", "app", "?"),
    Key("ctrl+p", "app.command_palette", "Commands", "every action by name", "app", "^p"),
    Key("E", "messages", "Messages", "what the app has told you, errors too, the newest first", "app", footer=False),
    Key("t", "theme", "Theme", "choose a theme; each is shown while you move", "app", footer=False),
    Key("q", "quit_app", "Quit", "leave the app; all work goes on", "app"),
)

KEYS: Final[dict[str, Key]] = {key.action: key for key in _TABLE}
"""By action."""


def bindings(*actions: str) -> list[Binding]:
    """Return Textual's bindings for actions of the table, in this order."""
    return [
        Binding(key.keys, key.action, key.label, show=key.footer, key_display=key.shown, tooltip=key.help)
        for key in map(KEYS.__getitem__, actions)
    ]

"""A second reader: the tree-sitter grammar of bash must find the commands that our own reader found.

The grammar takes far more than it should and crashes on text outside ASCII, so it decides nothing: where it
does not see what our reader saw, the line is unclear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from supervisor.engine.policy.commands import Simple

_OUTSIDE = re.compile(r"[^\t\n -~]")
_COMMANDS = frozenset({"command", "declaration_command", "unset_command", "test_command"})


def doubt(text: str, commands: Sequence[Simple]) -> str:
    """Return why a line that was read is doubtful, or nothing."""
    tree = _parser().parse(_OUTSIDE.sub("x", text).encode())
    if tree.root_node.has_error:
        return "two readers differ: the grammar of bash finds an error in it"
    seen = sum(1 for _ in _commands(tree.root_node))
    if seen != sum(1 for command in commands if command.words):
        return "two readers differ on the commands in it"
    return ""


@lru_cache(maxsize=1)
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def _commands(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in _COMMANDS and (node.type != "command" or node.child_by_field_name("name") is not None):
            yield node
        waiting.extend(node.named_children)

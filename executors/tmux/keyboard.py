"""Typing into a pane: paste, see that it arrived, and only then press Enter."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor.model.errors import QuarterdeckError

Command = Callable[..., Awaitable[list[str]]]

SEEN_WITHIN_S = 5.0
LOOK_EVERY_S = 0.02
# How much of the text's end is looked for: enough to be telling, short enough to be on the screen.
NEEDLE = 24
# Agents show a placeholder for a long paste: "[Pasted text #1 +20 lines]", "[Pasted Content 2000 chars]".
PLACEHOLDER = re.compile(r"\[Pasted(?:text|Content)")
# Escape would end the bracketed paste, and what follows would be keys.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """Return text without control characters; line breaks and tabs stay."""
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


async def type_text(command: Command, pane: str, text: str, folder: Path) -> None:
    """Paste ``text`` and press Enter once it is seen on the screen; QuarterdeckError when it is not.

    ``folder`` is private: the text passes through a file in it.
    """
    text = harmless(text).rstrip("\n")
    before = await _look(command, pane)
    await _paste(command, pane, text, folder)
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not arrived(text, before, await _look(command, pane)):
        if time.monotonic() > deadline:
            raise QuarterdeckError(
                "The text did not arrive: the terminal does not show it.",
                hint="Look at the terminal with `quarterdeck attach`; it may still stand at its prompt.",
            )
        await asyncio.sleep(LOOK_EVERY_S)
    await command("send-keys", "-t", pane, "Enter")


@dataclass(frozen=True, slots=True)
class Look:
    """What a pane shows, without white space since lines wrap, and its lines that scrolled away."""

    screen: str
    scrolled: str


def arrived(text: str, before: Look, after: Look) -> bool:
    """Whether a pane shows the end of a text that it did not show before.

    The same text may have been there, and scroll away as it comes again: then any change counts.
    """
    needle = squeeze(text)[-NEEDLE:]
    if not needle or (needle in after.screen and after != before):
        return True
    return len(PLACEHOLDER.findall(after.screen)) > len(PLACEHOLDER.findall(before.screen))


def squeeze(screen: str) -> str:
    """Return text without any white space."""
    return "".join(screen.split())


async def _look(command: Command, pane: str) -> Look:
    # In this order: a screen that scrolls in between shows up as one that changed, not as the same.
    scrolled, lines = await asyncio.gather(
        command("display-message", "-p", "-t", pane, "#{history_size}"),
        command("capture-pane", "-p", "-t", pane),
    )
    return Look(squeeze("".join(lines)), "".join(scrolled))


async def _paste(command: Command, pane: str, text: str, folder: Path) -> None:
    # Its own buffer, so that two texts for two panes do not meet.
    buffer = f"quarterdeck{pane.removeprefix('%')}"
    with tempfile.NamedTemporaryFile(dir=folder, prefix="paste-") as file:
        file.write(text.encode(errors="replace"))
        file.flush()
        await command("load-buffer", "-b", buffer, file.name)
        # Within: tmux answers when it begins to read the file, and pastes when it has read it.
        await command("paste-buffer", "-p", "-d", "-b", buffer, "-t", pane)

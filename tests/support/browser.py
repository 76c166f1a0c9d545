"""A headless Chromium, driven over the DevTools protocol by a bare websocket."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.wait import until

READ_SCREEN = """
(() => {
  const terminal = window.__terminal;
  if (!terminal) return "";
  const buffer = terminal.buffer.active, lines = [];
  for (let y = 0; y < terminal.rows; y++) {
    const line = buffer.getLine(buffer.viewportY + y);
    lines.push(line ? line.translateToString(true) : "");
  }
  return lines.join("\\n");
})()
"""
"""What the terminal in the page shows. The page keeps it to itself, so it is caught as it is made."""

CATCH_TERMINAL = """
// Every terminal registers what it adds as `loadAddon(addon)`, which calls `addon.activate(terminal)`.
Object.defineProperty(Object.prototype, "_terminal", {
  configurable: true,
  set(terminal) {
    if (terminal && terminal.buffer && !window.__terminal) window.__terminal = terminal;
    Object.defineProperty(this, "_terminal", {value: terminal, writable: true, configurable: true, enumerable: true});
  },
});
"""


NAVIGATED = -32000
"""The protocol's error of a call in whose middle the page went away, to be loaded anew."""


class Navigated(Exception):
    """The page was loaded anew meanwhile."""


class Tab:
    """One page of the browser."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._number = 0
        self.requested: list[str] = []
        self.problems: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what the page tells meanwhile is noted."""
        self._number += 1
        await self._websocket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads(await self._websocket.receive_str(timeout=20))
            self._note(message)
            if message.get("id") == self._number:
                if message.get("error", {}).get("code") == NAVIGATED:
                    raise Navigated
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _note(self, message: dict[str, Any]) -> None:
        method, given = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(given["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requested.append(given["url"])
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.problems.append(given["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(given["exceptionDetails"].get("exception", given)))

    async def open(self, url: str) -> None:
        """Open an address."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=CATCH_TERMINAL)
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """What an expression comes to in the page."""
        return (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def screen(self) -> str:
        """What the terminal in the page shows; nothing while the page is being loaded anew."""
        try:
            return str(await self.evaluate(READ_SCREEN))
        except Navigated:
            return ""

    async def shows(self, *texts: str, within_s: float = 30.0) -> None:
        """Return when the terminal shows all of these texts."""
        shown = ""
        try:
            async with asyncio.timeout(within_s):
                while not all(text in shown for text in texts):
                    shown = await self.screen()
        except TimeoutError as error:
            raise AssertionError(f"not within {within_s} s: {texts}; {self.problems}\n{shown}") from error

    async def until(self, expression: str, within_s: float = 20.0) -> None:
        """Return when an expression is true in the page."""
        async with asyncio.timeout(within_s):
            while not await self.evaluate(expression):
                continue

    async def press(self, key: str) -> None:
        """Press a key that types a character."""
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=key, key=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page."""
    process = await asyncio.create_subprocess_exec(
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
        "--window-size=1400,900", f"--user-data-dir={folder}", "about:blank",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)}, start_new_session=True,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            port = await _port(folder / "DevToolsActivePort")
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                page = next(each for each in await answer.json() if each["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as websocket:
                yield Tab(websocket)
    finally:
        process.kill()
        await process.wait()


async def _port(file: Path) -> int:
    """Return the port that the browser has written down."""
    await until(lambda: file.exists() and "\n" in file.read_text(), 30, "the browser listens")
    return int(file.read_text().split("\n")[0])  # noqa: ASYNC240 - one line, read once

"""The Docker Engine through the SDK's low-level client, in threads, with its errors in our words."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from supervisor.model.errors import NotFound, QuarterdeckError, Refused, Unavailable

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
ANSWER_TIMEOUT_S = 60
PROBE_S = 2.0
NAME_TAKEN = 409


class DockerEngine:
    """One engine on this machine.

    ``address`` is ``unix://`` and a path; without one, DOCKER_HOST counts, then Docker's current context.
    Raises Unavailable wherever the engine cannot be reached.
    """

    def __init__(self, address: str | None = None) -> None:
        self._given = address
        self._found: str | None = None
        self._client: APIClient | None = None
        self._lock = threading.Lock()

    async def address(self) -> str:
        """Return ``unix://`` and the socket's path."""
        return await asyncio.to_thread(self.known_address)

    def known_address(self) -> str:
        """Return the same; the first time it blocks while Docker's configuration is read."""
        if self._found is None:
            self._found = self._address()
        return self._found

    async def check(self, image: str | None = None) -> None:
        """Raise Unavailable unless the engine answers and has the image."""
        await self._run(lambda client: client.ping())
        if image is None:
            return
        try:
            await self._run(lambda client: client.inspect_image(image))  # type: ignore[no-untyped-call]
        except NotFound:
            raise missing_image(image) from None

    async def create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a container; returns Id and Warnings. Refused when the name is taken."""
        try:
            return await self._run(
                lambda client: dict(client.create_container_from_config(body, name))  # type: ignore[no-untyped-call]
            )
        except NotFound:
            raise missing_image(body["Image"]) from None

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container, or None when there is none of that name."""
        try:
            return await self._run(lambda client: dict(client.inspect_container(name)))
        except NotFound:
            return None

    async def pause(self, name: str) -> None:
        """Freeze everything in a container."""
        await self._run(lambda client: client.pause(name))

    async def unpause(self, name: str) -> None:
        """Thaw it."""
        await self._run(lambda client: client.unpause(name))

    async def kill(self, name: str, number: int) -> None:
        """Send a signal to a container's main process; Refused when it does not run."""
        await self._run(lambda client: client.kill(name, number))

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a container and its anonymous volumes; nothing when it is not there."""
        try:
            await self._run(lambda client: client.remove_container(name, v=True, force=force))
        except NotFound:
            return

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _run(self, call: Callable[[APIClient], T]) -> T:
        return await asyncio.to_thread(self._translated, call)

    def _translated(self, call: Callable[[APIClient], T]) -> T:
        address = self.known_address()
        if _connect_problem(address):
            # Asked first, since the SDK leaves a socket open that it could not connect.
            raise unreachable(address)
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        try:
            return call(self._connected(address))
        except APIError as error:
            words = str(error.explanation or error)
            if error.status_code == 404:
                raise NotFound(f"Docker does not know it: {words}") from error
            if error.status_code == NAME_TAKEN:
                raise Refused(f"Docker refused: {words}") from error
            raise QuarterdeckError(f"Docker could not do it: {words}") from error
        except (DockerException, RequestException, OSError) as error:
            raise unreachable(address) from error

    def _connected(self, address: str) -> APIClient:
        from docker import APIClient

        with self._lock:
            if self._client is None:
                # One ping, once: the version is asked for when the client is made.
                self._client = APIClient(base_url=address, timeout=ANSWER_TIMEOUT_S)
            return self._client

    def _address(self) -> str:
        address = self._given or os.environ.get("DOCKER_HOST") or self._context() or DEFAULT_ADDRESS
        if not address.startswith("unix://"):
            raise Unavailable(
                f"Docker is set to {address}; containers need an engine on this machine, because they mount"
                " folders of it.",
                hint="Set DOCKER_HOST or the Docker context to a unix socket.",
            )
        return address

    @staticmethod
    def _context() -> str | None:
        from docker.context import ContextAPI
        from docker.errors import DockerException

        try:
            return str(ContextAPI.kwargs_from_context().get("base_url", "")).replace("http+unix", "unix")
        except DockerException:
            return None


def missing_image(image: str) -> Unavailable:
    """Return the error for an image that is not on this machine."""
    return Unavailable(f"The image {image} is not on this machine.", hint=f"Get it with `docker pull {image}`.")


def unreachable(address: str) -> Unavailable:
    """Return the error for an engine that does not answer, with what to do about the cause."""
    path, problem = address.removeprefix("unix://"), _connect_problem(address)
    if problem == errno.EACCES:
        return Unavailable(
            f"You may not use Docker's socket {path}.",
            hint="Add yourself to its group (`sudo usermod -aG docker $USER`) and log in again.",
        )
    if problem == errno.ENOENT:
        return Unavailable(
            f"There is no Docker socket at {path}.",
            hint="Install Docker (`apt install docker.io`) and start it, or set DOCKER_HOST.",
        )
    return Unavailable(
        f"Docker does not answer on {path}.",
        hint="Start it (`sudo systemctl start docker`) and see `journalctl -u docker`.",
    )


def _connect_problem(address: str) -> int:
    """Return the errno of a connection to the engine's socket, 0 when somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            return probe.connect_ex(address.removeprefix("unix://"))
        except OSError:  # the path is too long for a socket
            return errno.ENOENT

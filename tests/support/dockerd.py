"""A Docker Engine for the tests: a given one, or a private dockerd with its own socket and data.

Give one by ``QUARTERDECK_TEST_DOCKER_HOST`` (``unix://`` and a path). The image is a busybox.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import APIClient

from executors.docker.wire import EngineGoneError, Wire
from tests.wait import wait_until

IMAGE = "quarterdeck-test:latest"
BUSYBOX = "/bin/busybox"
PASSWD = b"root:x:0:0:root:/:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/sh\n"
START_TIMEOUT_S = 30.0


class Dockerd:
    """A private dockerd that a test may stop, kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it; returns when it answers."""
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host={self.address}",
                    f"--data-root={self.folder / 'data'}",
                    f"--exec-root={self.folder / 'exec'}",
                    f"--pidfile={self.folder / 'pid'}",
                    # Nothing of the machine's network is touched: containers have none.
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-masq=false",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._answers, START_TIMEOUT_S, f"dockerd answers, see {self.folder / 'dockerd.log'}")

    def stop(self) -> None:
        """Stop it and, with it, its containers."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def kill(self) -> None:
        """Kill it; its containers go on until it is started again."""
        if self._process is not None:
            containerd = Path("/proc", (self.folder / "exec/containerd/containerd.pid").read_text().strip())
            self._process.kill()
            self._process.wait()
            self._process = None
            # It dies with its parent; a dockerd that started before that would wait for it in vain.
            wait_until(lambda: not containerd.exists(), what="containerd has ended")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"dockerd ended: {(self.folder / 'dockerd.log').read_text()[-2000:]}")
        try:
            Wire(str(self.socket)).call("GET", "/info")
        except EngineGoneError:
            return False
        return True


@contextmanager
def connected(address: str) -> Iterator[APIClient]:
    """A client that is closed afterwards."""
    client = APIClient(base_url=address, timeout=30)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def private_dockerd() -> Iterator[Dockerd]:
    """A dockerd of its own, with the test image, for as long as the context lasts."""
    # A socket's path must be short, and pytest's folders are not.
    folder = Path(tempfile.mkdtemp(prefix="qdd"))
    dockerd = Dockerd(folder)
    try:
        dockerd.start()
        load_image(dockerd.address)
        yield dockerd
    finally:
        dockerd.stop()
        # A dockerd that was killed leaves its data folder mounted on itself.
        while os.path.ismount(folder / "data"):
            subprocess.run(["umount", folder / "data"], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def load_image(address: str) -> None:
    """Import the test image: a static busybox with all its names."""
    with connected(address) as client:
        if client.images(IMAGE):
            return
        repository, _, tag = IMAGE.partition(":")
        client.import_image_from_data(busybox_tree(), repository=repository, tag=tag)


def busybox_tree() -> bytes:
    """The image's root folder as a tar file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tree:
        for name, mode in (("bin", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755), ("tmp", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tree.addfile(folder)
        _add(tree, "bin/busybox", Path(BUSYBOX).read_bytes(), 0o755)
        _add(tree, "etc/passwd", PASSWD, 0o644)
        applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in applets:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tree.addfile(link)
    return target.getvalue()


def _add(tree: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tree.addfile(member, io.BytesIO(content))


@contextmanager
def docker_engine() -> Iterator[str]:
    """The address of an engine with the test image; private unless one was given."""
    given = os.environ.get("QUARTERDECK_TEST_DOCKER_HOST")
    if given:
        load_image(given)
        yield given
    else:
        with private_dockerd() as dockerd:
            yield dockerd.address


@pytest.fixture(scope="session")
def docker_address() -> Generator[str]:
    """The same for tests, which share it."""
    with docker_engine() as address:
        yield address

"""Tells systemd that the service is ready, alive, or stopping. Without systemd it does nothing.

The protocol is that of sd_notify(3): a datagram to the socket named by NOTIFY_SOCKET.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Self

log = logging.getLogger(__name__)


class Notifier:
    """Sends states to the service manager. ``watchdog_s`` is 0 when it keeps no watch."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s

    @classmethod
    def take(cls, environ: MutableMapping[str, str] | None = None) -> Self:
        """Return the notifier that the environment asks for, and take it out of there.

        What this process starts must not speak to the service manager in its name.
        """
        environ = os.environ if environ is None else environ
        watched = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_us = int(environ.pop("WATCHDOG_USEC", "0"))
        return cls(environ.pop("NOTIFY_SOCKET", ""), watchdog_us / 1_000_000 if watched else 0.0)

    def send(self, state: str) -> None:
        """Send a state such as ``READY=1``."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("The service manager was not told %s: %s", state, error)

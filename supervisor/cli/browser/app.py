"""The app of one browser, as a program: ends with the server that started it, however that ends.

Its only argument is the server's process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from supervisor.cli.app import open_app

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the app until its browser or its server is gone."""
    # Textual's driver for browsers does not notice that its input has ended.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "the app cannot be tied to its server")
    if os.getppid() != int(sys.argv[1]):
        return 0
    return open_app()


if __name__ == "__main__":
    sys.exit(main())

"""Entry: ``python -I -S executors/runner host <run>`` or ``… window <run>/<attempt>.launch``."""

import os
import sys

# The folder of this file must not be on the path, and what is installed beside it comes after the standard library.
sys.path[0:1] = []
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    """Run as what the first argument says; returns the exit code."""
    role, where = sys.argv[1:]
    if role == "window":
        from executors.runner.window import run_window

        return run_window(where)
    from executors.runner.host import run_host

    return run_host(where)


if __name__ == "__main__":
    sys.exit(main())

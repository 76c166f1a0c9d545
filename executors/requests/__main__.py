"""Entry: ``python -I -S executors/requests http|db SUMMARY``, with the request as one line of JSON on stdin.

What came back is on stdout, one sentence on stderr; the exit code is 0, or 1 when it did not succeed. SUMMARY is for
people who read the command.
"""

import json
import os
import sys

# The folder of this file must not be on the path: it would hide modules of the standard library.
sys.path[0:1] = []
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    """Do the request that is on stdin; returns the exit code."""
    from executors.requests.failing import Failed

    fields = json.loads(sys.stdin.buffer.readline())
    try:
        if sys.argv[1] == "http":
            from executors.requests.web import perform
        else:
            from executors.requests.database import perform
        said, code = perform(fields), 0
    except Failed as failed:
        said, code = str(failed), 1
    sys.stderr.write(f"{said}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

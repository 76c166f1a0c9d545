"""Shapes that threads meet for the first time at once: msgspec before 0.23 ended the process then."""

from __future__ import annotations

import subprocess
import sys
import textwrap

# A process of its own: what goes wrong here is no exception.
PROGRAM = """
    import sys, threading
    from dataclasses import make_dataclass
    import msgspec

    sys.setswitchinterval(1e-6)

    def meet(shape, start):
        start.wait()
        for _ in range(5):
            assert msgspec.convert({"a1": 1, "inner": {"b2": 3}}, shape).inner.b2 == 3
            assert msgspec.json.decode(b'{"inner": {"b2": 3}}', type=shape).inner.b2 == 3

    for number in range(500):
        inner = make_dataclass(f"Inner{number}", [(f"b{n}", int, 0) for n in range(30)])
        fields = [*((f"a{n}", int, 0) for n in range(30)), ("inner", inner, None)]
        shape = msgspec.defstruct(f"Outer{number}", fields) if number % 2 else make_dataclass(f"Outer{number}", fields)
        start = threading.Barrier(4)
        threads = [threading.Thread(target=meet, args=(shape, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""


def test_threads_may_meet_a_shape_for_the_first_time_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

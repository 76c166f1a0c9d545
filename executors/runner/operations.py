"""What a client may ask of one child."""

from __future__ import annotations

import binascii

from executors.runner.child import Child
from executors.runner.control import refusal
from executors.runner.launch import Message


def perform(child: Child, request: Message) -> Message:
    """Do what a request asks of its child; returns the answer."""
    problem = ""
    match request["op"]:
        case "write":
            data = binascii.a2b_base64(request.get("data", ""))
            problem = child.write(data, bool(request.get("close")))
        case "signal":
            problem = child.send_signal(int(request["number"]))
        case "pause":
            child.pause()
        case "resume":
            child.resume()
        case "hold":
            child.hold(bool(request["held"]))
        case "stop":
            child.stop(float(request.get("grace_s", child.launch.stop_grace_s)))
        case other:
            return refusal("bad_request", f"There is no operation {other!r}.")
    return refusal("refused", problem) if problem else {"ok": True}


def state(child: Child) -> Message:
    """Return the event that tells a new watcher how things stand."""
    return {
        "ev": "state",
        "attempt": child.launch.attempt,
        "pid": child.pid,
        "pid_started_at": child.pid_started_at,
        "stopped": child.is_stopped,
    }

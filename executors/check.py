"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``hint`` says what to do when the status is not ok."""

    name: str
    status: Status
    detail: str
    hint: str = ""

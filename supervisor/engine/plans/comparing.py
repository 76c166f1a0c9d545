"""Whether what a command measured is worse than it was before. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from supervisor.model.plan.parts import Regression

NOT_RUN: Final = frozenset({126, 127})
"""Exit codes of a shell that could not run a command at all: that is no test that has failed."""

_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a command ended with, and the number in the last line that it put out, if there is one."""

    exit_code: int
    number: float | None = None


def number_in(lines: Iterable[str]) -> float | None:
    """Return the last number in the last line that says something; None when it has none."""
    said = [line for line in lines if line.strip()]
    found = _NUMBER.findall(said[-1]) if said else []
    number = float(found[-1]) if found else math.nan
    return number if math.isfinite(number) else None


def compare(regression: Regression, before: Measured, now: Measured) -> tuple[bool, str]:
    """Return whether it is no worse than before, and why."""
    return _numbers(regression, before, now) if regression.better else _tests(before, now)


def _tests(before: Measured, now: Measured) -> tuple[bool, str]:
    if now.exit_code == 0:
        return True, ""
    if before.exit_code == 0:
        return False, f"it succeeded before, and ends with exit code {now.exit_code} now"
    if NOT_RUN & {before.exit_code, now.exit_code}:
        return False, f"it could not be run: exit code {before.exit_code} before, {now.exit_code} now"
    return True, f"it fails with exit code {now.exit_code}, as it did before ({before.exit_code})"


def _numbers(regression: Regression, before: Measured, now: Measured) -> tuple[bool, str]:
    for each, when in ((before, "before"), (now, "now")):
        if each.exit_code != 0:
            return False, f"it ended with exit code {each.exit_code} {when}, so there is no number"
        if each.number is None:
            return False, f"there is no number in the last line that it put out {when}"
    was, found = before.number or 0.0, now.number or 0.0
    worse_by = was - found if regression.better == "higher" else found - was
    said = f"{found:g} now, {was:g} before"
    allowed = f", {regression.tolerance:g} allowed" if regression.tolerance else ""
    return worse_by <= regression.tolerance, f"{said} ({regression.better} is better{allowed})"

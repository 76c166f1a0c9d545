"""Types of values that several commands take."""

from __future__ import annotations

import math
from typing import Any

import click


class Positive(click.ParamType[float]):
    """A number above zero that is one: neither infinite nor ``nan``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail in words."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (0 < number < math.inf):
            self.fail(f"{value!r} is not a number above zero.", param, ctx)
        return number


SECONDS = Positive("seconds")
DOLLARS = Positive("dollars")

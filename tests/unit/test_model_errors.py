"""The error tree: what programs and people are told."""

from __future__ import annotations

import pytest

from supervisor.model import errors
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused, StoreError


def tree(root: type[QuarterdeckError] = QuarterdeckError) -> list[type[QuarterdeckError]]:
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


def test_every_error_is_in_the_drawn_tree() -> None:
    assert errors.__doc__ is not None
    assert [
        cls.__name__ for cls in tree() if cls.__module__ == errors.__name__ and cls.__name__ not in errors.__doc__
    ] == []


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in tree() if cls.__module__ == errors.__name__]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", [cls for cls in tree() if cls.__module__ == errors.__name__])
def test_the_drawn_tree_tells_exit_code_and_http_status(cls: type[QuarterdeckError]) -> None:
    assert errors.__doc__ is not None
    line = next(line for line in errors.__doc__.splitlines() if cls.__name__ in line.split())
    if "exit" in line:
        assert f"exit {cls.exit_code}" in line
    if "http" in line:
        assert f"http {cls.http_status}" in line


def test_the_text_says_what_is_wrong_what_was_kept_and_what_to_do() -> None:
    error = StoreError("The disk is full.", kept="The log is whole.", hint="Free some space.")
    assert str(error) == "The disk is full. The log is whole. Free some space."


def test_the_text_leaves_out_what_is_not_there() -> None:
    assert str(Refused("Not now.")) == "Not now."


def test_one_error_may_carry_a_code_of_its_own() -> None:
    assert InvalidInput("Which one?", code="ambiguous").specific_code == "ambiguous"
    assert InvalidInput("What?").specific_code == "invalid_input"

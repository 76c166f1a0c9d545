"""The table of keys: one key means one thing, one thing has one key."""

from __future__ import annotations

from collections import Counter

from panels.keys import KEYS, KINDS, bindings


def test_a_key_means_one_thing() -> None:
    counted = Counter(each for key in KEYS.values() for each in key.keys.split(","))
    assert [key for key, times in counted.items() if times > 1] == []


def test_everything_is_explained_and_has_its_place() -> None:
    for key in KEYS.values():
        assert key.kind in KINDS
        assert key.help
        assert len(key.label) <= 20


def test_bindings_are_made_from_the_table() -> None:
    (made,) = bindings("approve")
    assert (made.key, made.action, made.description) == ("a", "approve", "Approve")
    assert made.tooltip == "allow it, once; where not all of it can be read, show it first"

"""Identifiers sort by when they were made and are never the same."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from supervisor.model.ids import new_id


def test_an_id_is_a_prefix_and_a_lower_case_ulid() -> None:
    assert re.fullmatch(r"ses_[0-9a-hjkmnp-tv-z]{26}", new_id("ses"))


def test_ids_made_later_sort_after_those_made_earlier() -> None:
    made = [new_id("att") for _ in range(5000)]
    assert made == sorted(made)


def test_ids_are_unique_across_threads() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: new_id("msg"), range(4000)))
    assert len(set(made)) == len(made)

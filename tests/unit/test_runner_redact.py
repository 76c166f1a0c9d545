from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.runner.redact import MARK, Redactor, forms

SECRET = "s3cr3t-value-42"


def run(secrets: list[str], *chunks: bytes) -> bytes:
    redactor = Redactor(forms(secrets))
    return b"".join([*map(redactor.feed, chunks), redactor.flush()])


def test_without_secrets_bytes_pass_untouched() -> None:
    data = b"\x00\xff anything"
    assert Redactor(forms([])).feed(data) is data
    assert Redactor(forms([""])).feed(data) is data


def test_every_value_in_a_chunk_is_marked() -> None:
    assert run([SECRET, "other"], f"a {SECRET}{SECRET} other b".encode()) == b"a " + MARK * 2 + b" " + MARK + b" b"


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_value_cut_in_two_never_shows(cut: int) -> None:
    text = SECRET.encode()
    shown = run([SECRET], b"key=" + text[:cut], text[cut:] + b"\n")
    assert text not in shown
    assert shown == b"key=" + (text[:cut] if cut < 4 else b"") + MARK + b"\n"


def test_a_short_beginning_is_let_through_and_a_longer_one_is_held() -> None:
    redactor = Redactor(forms([SECRET]))
    assert redactor.feed(b"> s3c") == b"> s3c"
    assert redactor.feed(b"r") == b""
    assert redactor.feed(b"eam") == b"ream"


def test_what_is_held_comes_when_the_stream_ends() -> None:
    redactor = Redactor(forms([SECRET]))
    assert redactor.feed(b"s3cr3t") == b""
    assert redactor.flush() == b"s3cr3t"
    assert redactor.flush() == b""


def test_a_value_of_one_byte_and_one_of_three() -> None:
    assert run(["x"], b"axb") == b"a" + MARK + b"b"
    assert b"abc" not in run(["abc"], b"a", b"b", b"c")


def test_values_that_overlap() -> None:
    secrets = ["xabcd", "abcdzz"]
    for chunks in ([b"xabcdzz"], [b"x", b"abcd", b"zz"], [b"xabcd", b"q"], [b"xabc", b"d"], [b"abcdz", b"z"]):
        shown = run(secrets, *chunks)
        assert all(secret.encode() not in shown for secret in secrets), chunks


def test_a_value_that_repeats_its_own_beginning() -> None:
    shown = run(["ababac"], b"abab", b"abac")
    assert shown == b"ab" + MARK


def test_the_forms_in_json_and_on_a_terminal() -> None:
    secret = 'line "one"\nliné'
    for text in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), secret.replace("\n", "\r\n")):
        assert MARK in run([secret], text.encode())


def test_many_lines_of_one_value() -> None:
    secret = "-----BEGIN-----\n" + "A" * 64 + "\n-----END-----"
    data = b"x\n" + secret.encode() + b"\ny\n"
    for size in (1, 7, 64):
        shown = run([secret], *(data[at : at + size] for at in range(0, len(data), size)))
        assert shown.startswith(b"x\n")
        assert shown.endswith(MARK + b"\ny\n")
        assert b"A" * 64 not in shown


@given(
    secrets=st.lists(st.text('ab\n"', min_size=1, max_size=7), min_size=1, max_size=3),
    pieces=st.lists(
        st.one_of(st.integers(0, 2), st.binary(max_size=5), st.sampled_from([b"a", b"b", b"ab"])), max_size=8
    ),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_no_split_of_a_stream_shows_a_value(secrets: list[str], pieces: list[int | bytes], cuts: list[int]) -> None:
    data = b"".join(piece if isinstance(piece, bytes) else secrets[piece % len(secrets)].encode() for piece in pieces)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    shown = run(secrets, *(data[a:b] for a, b in pairwise(edges)))
    assert all(form not in shown.replace(MARK, b"\xfe") for form in forms(secrets))


@given(data=st.binary(max_size=80), cuts=st.lists(st.integers(0, 80), max_size=6))
def test_what_holds_no_value_is_unchanged(data: bytes, cuts: list[int]) -> None:
    secret = "\U0001f511 key"
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert run([secret], *(data[a:b] for a, b in pairwise(edges))) == data

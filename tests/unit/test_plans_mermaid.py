from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.plans.mermaid import COLOURS, Edge, Node, escaped, mermaid

LINE = re.compile(
    r'flowchart TD|  t\d+(\["[^"]+"\]|\{"[^"]+"\})(:::[a-z_]+)?|  t\d+ (-->|-\.->\|"[^"]+"\|) t\d+'
    r"|  classDef [a-z_]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}"
)
"""What each line may be, more strictly than Mermaid has it."""

HOSTILE = [
    "end",
    'say "x"',
    "a]b[c{d}e(f)",
    "`code` *b* _i_ **s**",
    "1. a",
    "- a",
    "# a",
    "<script>alert(1)</script><b>",
    "&amp; #quot; #35;",
    "a;b|c",
    "a\nb\r\n\tc",
    "%%{init: {}}%%",
    "$$x$$ fa:fa-car a\\nb",
    "www.x.com http://a.b a@b.c",
    ":::failed -->",
    "é 日本 😀 e\u0301",
    "\u202eturned\x1b[31m",
    "\ud800",
]


def shown(escaped_text: str) -> str:
    """Return what one sees of an escaped text."""
    return unescape(re.sub(r"#(\d+);", r"&#\1;", escaped_text)).replace("\u200b", "")


def test_a_plan_is_drawn_line_by_line() -> None:
    nodes = [
        Node("collect", "Collect sources", "research", "completed"),
        Node("end", "", "gate", "waiting_approval"),
        Node("deep", "Deep", "analyze", "unheard-of"),
    ]
    edges = [Edge("collect", "end"), Edge("end", "deep", "on failure"), Edge("end", "nobody"), Edge("nobody", "end")]
    assert mermaid(nodes, edges) == (
        "flowchart TD\n"
        '  t0["collect<br/>Collect sources"]:::completed\n'
        '  t1{"end"}:::waiting_approval\n'
        '  t2["deep<br/>Deep"]\n'
        "  t0 --> t1\n"
        '  t1 -.->|"on failure"| t2\n'
        "  classDef waiting_approval fill:#fef3c7,stroke:#b45309,color:#111827\n"
        "  classDef completed fill:#dcfce7,stroke:#15803d,color:#111827\n"
    )


def test_nothing_is_an_empty_drawing() -> None:
    assert mermaid([], []) == "flowchart TD\n"


def test_every_status_has_its_own_colours() -> None:
    drawn = mermaid([Node(status, status=status) for status in COLOURS], [])
    assert len(set(re.findall(r"fill:\S+", drawn))) == len(COLOURS) == drawn.count("classDef")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_titles_are_text(text: str) -> None:
    found = escaped(text)
    assert re.fullmatch(r"(?:[^\W_]| |#\d+;)*", found)
    assert shown(found).isprintable() or "\ufffd" in shown(found)
    if text.isprintable():
        assert shown(found) == text


def test_half_a_surrogate_pair_is_drawn_as_a_sign_that_stands_for_such() -> None:
    assert escaped("\ud800\udfff\ue000") == "#65533;#65533;#57344;"


def test_what_mermaid_looks_for_at_the_end_is_broken_up() -> None:
    assert escaped(r"$$ :\n") == "#36;#8203;#36;#8203; #58;#8203;#92;#8203;n"


def test_what_shows_nothing_is_drawn_as_nothing() -> None:
    drawn = mermaid([Node(" ", "\x1b[1m"), Node("a", "\n")], [Edge("a", " ", "\t")])
    assert drawn.splitlines()[1:] == ['  t0["#160;"]', '  t1["a"]', "  t1 --> t0"]


def test_long_texts_are_cut() -> None:
    assert shown(escaped("x" * 80)) == "x" * 80
    assert shown(escaped("x" * 81)) == shown(escaped("x" * 1_000_000)) == "x" * 79 + "…"


def test_of_two_tasks_with_one_id_both_are_drawn_and_the_first_is_linked() -> None:
    drawn = mermaid([Node("a"), Node("a"), Node("b")], [Edge("a", "b")])
    assert drawn.splitlines()[1:] == ['  t0["a"]', '  t1["a"]', '  t2["b"]', "  t0 --> t2"]


TEXT = st.text() | st.lists(st.sampled_from(HOSTILE)).map(" ".join)
NODES = st.lists(
    st.builds(Node, TEXT, TEXT, st.sampled_from(["gate", "debug", '"']), st.sampled_from([*COLOURS, "x y"]))
)


@given(NODES, st.lists(TEXT, max_size=3))
def test_every_drawing_is_well_formed(nodes: list[Node], labels: list[str]) -> None:
    edges = [Edge(nodes[0].id, nodes[-1].id, label) for label in labels] if nodes else []
    drawn = mermaid(nodes, edges)
    assert all(LINE.fullmatch(line) for line in drawn.removesuffix("\n").split("\n"))
    assert drawn.count("\n  t") == len(nodes) + len(edges)
    assert drawn.encode()
    assert drawn == mermaid(nodes, edges)

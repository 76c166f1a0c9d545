"""Rows of a diff: one column, two columns, comments, folds; what is said of a file beside its lines."""

from __future__ import annotations

from panels.view.comments import Comment, comment_on, message
from panels.view.diff import parse
from panels.view.diffrows import notes, rows

TEXT = """\
diff --git a/x.py b/x.py
--- a/x.py
+++ b/x.py
@@ -1,5 +1,6 @@ def f():
 keep
-old one
-old two
+new one
 middle
-gone
+came
+came too
 end
diff --git a/y.py b/y.py
new file mode 100755
--- /dev/null
+++ b/y.py
@@ -0,0 +1 @@
+y
"""


def made(**more: object) -> list[tuple[str, str, str]]:
    options = {"folded": (), "comments": (), "side_by_side": False, "width": 80, **more}
    return [
        (row.kind, row.left.text if row.left else "", row.right.text if row.right else row.text)
        for row in rows(parse(TEXT), **options)  # type: ignore[arg-type]
    ]


def test_in_one_column_each_line_is_a_row() -> None:
    assert [row for row in made() if row[0] == "line"] == [
        ("line", "", "keep"),
        ("line", "old one", ""),
        ("line", "old two", ""),
        ("line", "", "new one"),
        ("line", "", "middle"),
        ("line", "gone", ""),
        ("line", "", "came"),
        ("line", "", "came too"),
        ("line", "", "end"),
        ("line", "", "y"),
    ]


def test_side_by_side_lines_stand_beside_what_they_became() -> None:
    assert [row[1:] for row in made(side_by_side=True) if row[0] == "line"] == [
        ("keep", "keep"),
        ("old one", "new one"),
        ("old two", ""),
        ("middle", "middle"),
        ("gone", "came"),
        ("", "came too"),
        ("end", "end"),
        ("", "y"),
    ]


def test_a_folded_file_is_its_heading() -> None:
    assert [row[0] for row in made(folded=["x.py"])] == ["file", "blank", "file", "note", "hunk", "line"]


def test_a_comment_stands_below_its_line_in_both_shapes() -> None:
    file = parse(TEXT)[0]
    line = file.hunks[0].lines[2]
    comment = comment_on(file, line, "why\nthis?")
    assert comment == Comment("x.py", "old", 3, "-old two", "why\nthis?")
    for side_by_side in (False, True):
        found = made(comments=[comment], side_by_side=side_by_side)
        at = next(i for i, row in enumerate(found) if row[1] == "old two")
        assert found[at + 1 : at + 3] == [("comment", "", "why"), ("comment", "", "this?")]


def test_a_comment_whose_line_is_gone_is_kept_at_its_file() -> None:
    found = made(comments=[Comment("x.py", "new", 99, "+lost", "still here")])
    at = found.index(("comment", "", "still here"))
    assert found[at - 1] == ("note", "", "On a line that is not here any more: +lost")
    assert found[at + 1][0] == "blank"


def test_the_message_says_where_what_and_why() -> None:
    comments = [Comment("b.py", "new", 2, "+b", "two"), Comment("a.py", "old", 7, "-a", "one")]
    assert message(comments) == (
        "Comments on your changes:\n\na.py:7 (before your change)\n> -a\none\n\nb.py:2\n> +b\ntwo"
    )


def test_what_is_said_of_a_new_file_that_may_be_run() -> None:
    assert notes(parse(TEXT)[1]) == ["new file (may be run)"]


def test_what_is_said_of_a_mode_a_rename_and_a_binary_file() -> None:
    text = """\
diff --git a/m b/m
old mode 100644
new mode 100755
diff --git a/p b/q
similarity index 90%
rename from p
rename to q
diff --git a/i.png b/i.png
index 1..2 100644
Binary files a/i.png and b/i.png differ
"""
    assert [notes(file) for file in parse(text)] == [
        ["mode 100644 -> 100755: may be run now"],
        ["renamed from p, 90 % the same"],
        ["a binary file: its content is not shown"],
    ]

"""Random acts made of what is rare in the others: each of these once told the two evaluators apart, or might have.

Here-documents for shells, several commands of one `find`, wrappers that lack something, deep nesting, the folder in
values and globs, and words that only just are, or are not, what they look like.
"""

from __future__ import annotations

from tests.policy.cases import Cases


def _words(text: str) -> list[str]:
    return text.split()


_VALUES = [
    *_words("$PWD $PWD/x ${PWD}* $TOKEN `ls` $(ls) \\~ '' = x=y <(ls) \"$PWD\" [ $[1] #x ~ {a,b} x"),
    "a\\\nb",
    '"a b"',
]
_NAMES = _words("X A1 my_token MY_TOKEN no_proxy proxy _ PATH HOME")
_RARE = _words(
    r"""
    $PWD* $PWD/.* $PWD/*/.. ~$X ~/$X ~'/x' ~""/x {a','b} {a\,b} '{'a,b} {$X,b} {a.. $PWD{a,b} x$PWD $PWD$PWD/*
    ['' ''[ [\[ *'/..' */'.'. '*'* \** ?/../x ./?*/. $HOME* $HOME.* ~* ~/*/.. ~/.* a=~/.ssh/id_rsa file://~/x a://b
    -@x -o.env @~/x x:@y -\- -I'' -- - =x '~{/' '~x/y' <(ls) >(ls)x =<(ls) "$'x'" "$[1]" a#b {a}>x 10>x >&-
    >&$X >&''-x >&${X}- >&'…-x' >&~ &>>x <&0- 2>&1x "`ls`" "`"ls"`" $TOKEN${KEY}
    """
)
_RARE += ["\n#\\\n", "# \\\n", ">& -", "<& 0", "<<E", "<<'E'\nx\nE\n", "n ''", "é", "'é'*", "\\\n"]
_WRAPPED = _words("-exec -execdir -ok -okdir")
_STARTED = ["cd src", "cd ..", "sh -c 'cd src'", "cat id_rsa", "{}", "", "git -C src log", "xargs rm", "sudo rm x"]
_FOLDERS = [
    f"{program} {to}"
    for program in ("cd", "pushd", "popd", "builtin cd", "env cd", "sudo cd", "command pushd")
    for to in ("", "src", "..", "-", "~", "~x", "$X", "src x", "'*'", "*", "--", "''", "/")
]
_UNFINISHED = [
    line.strip()
    for line in r"""
    nohup | nice -n | nice -n5 | nice -5 | nice --adjustment= | timeout | timeout 5 | timeout -k 1 -s K 5 | timeout -k
    stdbuf -oL | stdbuf -o | env -i | env - | env -u X | env -u | env A=1 B=* | env A=$X | env A+=1 | env A=$PWD
    time -p | time -v | setsid -fw | setsid -f -w | ionice -c2 -n 3 -t | ionice -p | exec -a x | command -v | builtin
    sudo -u root -n | sudo -u | sudo -u $X | doas -n | xargs -0 -I{} -n1 | xargs -I '' | xargs -I | xargs --max-args=1
    xargs -d '\n' -P4 | su -c ls -c | su - root -c $X | su -c * | runuser -u x -c 'cd src' | export A=1 | export
    export A=1 $X | export A=* B | eval | eval '' | eval $X | eval cd src | bash -c | bash -ec 'cd src' x | bash -c *
    sh -o pipefail -c | sh -eo pipefail | bash -x | git -C src -C .. | git --no-pager -P | git -C | git -C $X | git -C *
    git -C ~x | git -c x -C y | ../../../usr/bin/git -C src/a/b
    """.replace("\n", "|").split("|")
    if line.strip()
]
_NESTED = [
    ("( ", " )"),
    ("{ ", "; }"),
    ("$( ", " )"),
    ("eval $(: ", ")"),
    ("if ls; then ", "; fi"),
    ("for x in `ls`; do ", "; done"),
    ("while ls; do ", "\ndone"),
    ("echo <( ", " )"),
]
_READING = [
    *("cat", "bash", "sh", "nohup bash", "env A=1 sh", "time -p zsh", "sudo bash", "xargs sh", "bash -c", "bash -e"),
    *("bash $X", "X=1", "", "eval", "su", "find . -exec sh ';'", "{ sh;}", "(sh)", "while sh; do ls; done"),
    "if sh\nthen ls; fi",
]
_BEHIND = [
    *(" <&0", " 0>x", " 2>&1", " >x", " <x", " 3<x", " 3<&0", " &>x", " 0<>x", "; >&1", " | >&2", ";ls", " && sh"),
    *(" 'a\nb'", " $X", " $(ls)", ' "a\\\nb"', " x # c", " {a,b}", " &", " A=1", " ~", ";{ sh;} <x", "\\\n", " \\\n"),
]
_BODIES = [
    *("text\n", "$X\n", "$[x]\n", "$ \n", "ls \\\n", "\\\n", "\n", "\t\n", "\tE\n", "E \n", "`x`\n", "${X}\n"),
    *("# c\n", "é\n", "\u200b\n", "cat <<X\nx\nX\n", "cd src\n"),
]


class RareCases(Cases):
    """Cases whose lines hold rare things more often than not."""

    def word(self, depth: int) -> str:
        return self.one(_RARE) if self.chance(0.15) else super().word(depth)

    def simple(self, depth: int) -> str:
        line = super().simple(depth)
        if self.chance(0.1):
            line = f"{self.one(_NAMES)}{self.one(['=', '=', '+='])}{self.one(_VALUES)} {line}"
        return line

    def here_document(self, depth: int) -> str:
        if self.chance(0.4):
            return super().here_document(depth)
        name = self.one(["E", "EOF", "1"])
        sign = self.one([name, f"'{name}'", f'"{name}"', f"\\{name}"])
        operator = self.one(["<<", "<<-", "0<<", "00<<", "3<<", "<< \\\n"])
        behind = "".join(self.one(_BEHIND) for _ in range(self.random.choice([0, 0, 1, 1, 2])))
        body = "".join(
            self.one(_BODIES) if self.chance(0.9) else f"{self.list_(1, 3)}\n" for _ in range(self.random.randint(0, 3))
        )
        return (
            f"{self.one(_READING)} {operator}{sign}{behind}\n{body}{name}{self.one(['', chr(10), chr(10) + 'ls', ' '])}"
        )

    def program(self, depth: int) -> list[str]:
        roll = self.random.random()
        if roll < 0.03 and depth < 4:
            words = ["find", "."]
            for _ in range(self.random.randint(1, 3)):
                started = self.one(_STARTED) if self.chance(0.8) else self.simple(3)
                end = self.one(["\\;", "+", "';'", ";", "'+'", ""])
                words += [self.one(_WRAPPED), started, self.one(["{}", "", "a{}b", "$X"]), end]
            return words
        if roll < 0.05:
            return [self.one(_FOLDERS)]
        if roll < 0.08:
            return [self.one(_UNFINISHED), *(super().program(depth)[:1] if self.chance(0.6) else [])]
        if roll < 0.11:
            return [self.here_document(depth)]
        return super().program(depth)

    def command(self, depth: int) -> str:
        if self.chance(0.01):
            times = self.random.randint(15, 20)
            opening, closing = self.random.choice(_NESTED)
            return opening * times + self.simple(3) + closing * times
        if self.chance(0.01):
            gap = self.one([" ", "\n", " #c\n", " # \\\n", " \\\n", ";", " ;", "\n;", ""])
            words = self.one(["in", "in ", "in\n", "in;", "in $(ls) `cd x`", "in <(ls)", "in x#", "in\t*", ""])
            begin = self.one([";", "\n", "; ", "#c\n", " # c\n", ";\n#x\n", ""])
            end = self.one(["", " >x", " <<E\nx\nE", " 2>&1", " | sh", ";"])
            body = self.simple(3) + self.one([";", "\n", " "])
            return f"for {self.one(_NAMES)}{gap}{words}{begin}do {body}done{end}"
        return super().command(depth)

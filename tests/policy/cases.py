"""Random acts and small rule books for the comparison of the two evaluators.

Everything follows from a seed. Lines grow from a grammar that is wider than the language policy reads, words are
spelled in many ways, and some lines lose, gain or double characters, so that both what is readable and what just is
not are met. The words are those that the shipped rules speak of, so that rules match often.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.policy.parts import Act

HOME = "/home/dev"
WORKTREE = "/home/dev/project"
CORPORA = Path(__file__).parent


def _words(text: str) -> list[str]:
    return text.split()


_PROGRAMS = _words(
    """
    ls cat grep rg find git git git rm cp mv sed awk tee echo printf head tail wc sort uniq jq chmod mkdir touch
    ln curl wget ssh python python3 node npm npx yarn cargo go make pytest pip docker kubectl sudo env xargs
    bash sh eval export cd cd cd pushd popd nohup timeout nice time command exec builtin setsid stdbuf ionice su
    doas runuser test [ true false : set source . trap alias unset read tar rsync dd crontab systemctl kill diff
    tsc eslint prettier ruff mypy black unknown-tool ./gradlew ./.venv/bin/pytest /usr/bin/git /bin/rm
    //usr//bin/./env ../tool ~/bin/tool /opt/homebrew/bin/jq /usr/local/bin/x/y bin/../../../../bin/cat zsh ksh
    dash fi then in { } if
    """
)
_WORDS = _words(
    """
    status log diff show commit push pull add reset clean checkout branch stash config clone fetch install run
    test build check fmt clippy lint format exec list main origin HEAD HEAD~1 origin/main --hard --force
    --force-with-lease -f -fdx -rf -r -v -q -n 1 -n1 -x -c -e -u NAME -i -p -la -l -a -o -D -d -m -am --version
    --help --output --output=x --outp --exec --no-pager -P -C src --oneline --all -- - -k 5 -s KILL 10
    --signal=KILL --kill-after=3 -oL -eL --adjustment=3 -5 -c3 -t -- -0 -I {} -I{} -P4 --null --max-args=3
    --verbose -exec -execdir ; + -name -delete -type f s/a/b/ 1,5p {print} a.b=c core.pager=x X=1 PATH=/x
    http_proxy=x a:b user@host:/etc @.env @file x=@/etc/passwd https://example.com/x file:///etc/passwd
    http://localhost:3000 -T./x -d@.env --data=@~/.ssh/id_rsa -oProxyCommand=x -c core.pager=x pipefail -o
    pipefail -eo pipefail -lc -euxc -x/etc/y -x~/y a=b=c : = :: =/ @ @@x --x=a:@b -v --preserve-status
    --foreground --adjustment=1 --input=0 NAME a1 A_B foo bar é if do done ! } 0 007 ~root ~+ ~- ~
    """
)
_PATHS = _words(
    """
    . .. / ./ src src/a.py src/../b ../other ../../x /etc/passwd /etc /tmp/x /tmp /dev/null /dev/tcp/h/1 ~ ~/
    ~/.ssh ~/.ssh/id_rsa ~/.aws/credentials ~/.bashrc ~/x .env .env.example .git .git/hooks/pre-commit
    .git/config .GIT/hooks/x Src/A .claude/settings.json package.json Makefile README.md node_modules/.bin/x
    build/out dist /home/dev/project /home/dev/project/src /home/dev/project2/x /home/dev/.netrc
    /home/dev/./.ssh//id_rsa /proc/1/environ /bin /usr/bin/git a/b/c ./x ../project/src ../.ssh/id_rsa
    ../../../etc/shadow id_rsa hooks/pre-commit .ssh
    """
)
_GLOBS = _words(
    """
    * *.py src/* src/*.py ~/.ssh/* ~/.s*/id_* ../* .* ./.* */.env */../x /e*/passwd [a-c].py src/[.]env ? ?? .??
    /home/*/.ssh/id_rsa id_* *_rsa .e* a*b*c [ [] [[ x[1] **/x src/**/*.ts @*.x *=*/etc a:*/b
    """
)
_UNKNOWN = _words(
    """
    $X ${X} $@ $1 ${X:-y} ${X%%.*} $((1+2)) $((1*3)) $_ ${X:+a/b} {a,b} {1..3} x{a,b}y ~other $X/y $* $- a$X
    --x=$X $X* $TOKEN ${api_key} ${PASSWD:-x} $(nproc) -j$(nproc) $(nproc;) $( nproc)
    """
)
_ODD = _words(
    """
    $'x' $"x" ${X:0:1} ${!X} ${#X} ${X/a/b} $((x)) $[1] a(b) <<<x ;; ;& &>>x >>>x <( >( `\\` ${X:=1} $(( $(())
    $() `` ` " ' \\ x=( a[1]= [[ ]] case function coproc select ((a)) é 中 {a..b {a.b} {a,b {} }{ $$ $? $! $# $ $%
    a~b =~ 2 2>1 >&1 >&- <&- >&1- <&x >&x &>x >|x <>x 2>&1 2>>x <x |& || && & ; | ! # #x
    """
)
_ODD += ["$((", "\u00a0", "\u202e", "\u200b", "\r", "\x01", "\x7f", '"""', "a b"]
_NAMES = _words(
    """
    X FOO PATH HOME PWD LD_PRELOAD GIT_PAGER http_proxy foo IFS BASH_ENV _a a1B
    """
)
_VALUES = ["1", "x", "/tmp", "~/x", "a:b", "{a,b}", ".*", "*", "''", '""', "$X", "$HOME/x"]


@dataclass(frozen=True)
class Case:
    """One act and the number of the rule book that judges it."""

    act: Act
    book: int


def corpus(name: str) -> list[str]:
    """The commands of one of the two corpora."""
    entries = yaml.safe_load((CORPORA / f"{name}.yaml").read_text(encoding="utf-8"))
    return [entry["command"] for entry in entries]


class Cases:
    """An endless row of cases. Book 0 is the shipped one, the others are `books` of this object."""

    def __init__(self, seed: int, books: int) -> None:
        self.random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.books = [self.book() for _ in range(books)]

    @cached_property
    def everyday(self) -> list[str]:
        return corpus("everyday")

    @cached_property
    def lines(self) -> list[str]:
        return corpus("dangerous") + corpus("everyday")

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, of: list[str]) -> str:
        return self.random.choice(of)

    def case(self) -> Case:
        """The next case."""
        book = 0 if self.chance(0.5) else self.random.randint(0, len(self.books))
        return Case(self.act(), book)

    # --- acts

    def act(self) -> Act:
        kind = (
            "execute"
            if self.chance(0.85)
            else self.one(
                _words(
                    """
    execute write delete move read search fetch mcp question other unheard-of
    """
                )
            )
        )
        command: str | tuple[str, ...] | None = None
        if kind == "execute" or (kind in ("mcp", "question", "other", "unheard-of") and self.chance(0.3)):
            if self.chance(0.04):
                command = tuple(self.argument() for _ in range(self.random.randint(0, 6)))
            elif not self.chance(0.01):
                command = self.line()
        paths: tuple[str, ...] = ()
        if kind != "execute" and self.chance(0.7):
            paths = tuple(self.plain_path() for _ in range(self.random.randint(1, 3)))
        return Act(
            kind=kind,
            tool=self.one(["Bash", "Write", "mcp__x__y", "WebFetch"]),
            cwd=self.one([WORKTREE, WORKTREE, WORKTREE, f"{WORKTREE}/src", "/home/dev", "/tmp/w"]),
            worktree=self.one([WORKTREE, WORKTREE, WORKTREE, "/tmp/w", ""]) if self.chance(0.2) else WORKTREE,
            agent=self.one(["claude", "codex"]),
            mode=self.one(["headless", "terminal"]),
            project=self.one(["app", "lib"]),
            plan=self.one(["p1", "p2"]) if self.chance(0.3) else None,
            command=command,
            paths=paths,
            url=self.url() if kind in ("fetch", "mcp", "other") and self.chance(0.8) else None,
        )

    def url(self) -> str:
        scheme = self.one(["http://", "https://", "HTTPS://", "ftp://", "", "http:/", "https://u@"])
        name = self.one(
            ["example.com", "EXAMPLE.com.", "docs.python.org", "[::1]", "127.0.0.1", "a_b", "", "x..", "é.x"]
        )
        port = self.one(["", "", ":80", ":", ":x"])
        return (
            scheme
            + name
            + port
            + self.one(["", "/", "/a b", "/x?y#z", "?q", "#f", "\\x", "/é", "@evil.example", "/@x"])
        )

    def plain_path(self) -> str:
        return self.one(_PATHS if self.chance(0.85) else [*_GLOBS, "~other/x", "a\0b", "", "~+", "*"])

    def argument(self) -> str:
        if self.chance(0.08):
            return self.line()
        return self.one(self.random.choice([_PROGRAMS, _WORDS, _PATHS, _GLOBS, ["", "a b", "$X", "-c"]]))

    # --- lines

    def line(self) -> str:
        if self.chance(0.15):
            line = self.one(self.everyday).replace(self.one(["src", "a", ".py"]), self.one(_PATHS))
            return line if self.chance(0.8) else f"{line} {self.word(4)}"
        if self.chance(0.15):
            line = self.one(self.lines)
            if self.chance(0.5):
                line = self.damaged(line)
            elif self.chance(0.3):
                line = f"{line}{self.one([' && ', '; ', ' | ', chr(10)])}{self.one(self.lines)}"
            return line
        line = self.list_(self.random.choice([0, 0, 0, 1, 2]))
        return self.damaged(line) if self.chance(0.2) else line

    def damaged(self, line: str) -> str:
        for _ in range(self.random.choice([1, 1, 2, 4])):
            at = self.random.randint(0, len(line))
            how = self.random.randint(0, 4)
            if how == 0:
                line = line[:at] + line[at + 1 :]
            elif how == 1:
                line = line[:at] + self.one(_ODD) + line[at:]
            elif how == 2:
                line = line[:at] + self.one(list("'\"\\`$(){}[]<>|&;#!~*?=@: \n\t-/.,")) + line[at:]
            elif how == 3:
                line = line[:at] + "\\\n" + line[at:]
            else:
                end = min(len(line), at + self.random.randint(1, 8))
                line = line[:end] + line[at:end] + line[end:]
        return line

    def list_(self, size: int, depth: int = 0) -> str:
        line = self.pipeline(depth)
        for _ in range(self.random.randint(0, size)):
            joint = self.one([" && ", " || ", "; ", "\n", " & ", "&&", ";", " # c\n", " &&\n", ";\n\n"])
            line += joint + self.pipeline(depth)
        return line + self.one(["", "", "", "", ";", "\n", " &", " # it's", " "])

    def pipeline(self, depth: int) -> str:
        parts = [self.command(depth) for _ in range(self.random.choice([1, 1, 1, 1, 1, 2, 3]))]
        return ("! " if self.chance(0.03) else "") + self.one([" | ", "|", " |& ", " |\n"]).join(parts)

    def command(self, depth: int) -> str:
        if depth > 3 or not self.chance(0.12):
            return self.simple(depth)
        body = self.list_(self.random.choice([0, 0, 1]), depth + 1)
        close = "" if body.endswith((";", "&", "\n")) else self.one(["; ", "\n"])
        close = "\n" if "#" in body else close
        match self.random.randint(0, 6):
            case 0:
                line = f"({body}\n)"
            case 1:
                line = f"{{ {body}{close} }}"
            case 2:
                line = f"if {self.simple(depth)}; then {body}{close} fi"
            case 3:
                line = f"if {body}{close} then {self.simple(depth)}; elif :; then b; else {self.simple(depth)}; fi"
            case 4:
                line = f"{self.one(['while', 'until'])} {self.simple(depth)}; do {body}{close} done"
            case 5:
                line = f"for {self.one(_NAMES)} in {self.word(depth)} {self.word(depth)}; do {body}{close} done"
            case _:
                line = f"for {self.one(_NAMES)}{self.one(['; ', chr(10), ' '])}do {body}{close} done"
        return line + (self.redirection(depth) if self.chance(0.2) else "")

    def simple(self, depth: int) -> str:
        if self.chance(0.03):
            return self.here_document(depth)
        words: list[str] = []
        while self.chance(0.08):
            words.append(f"{self.one(_NAMES)}{self.one(['=', '=', '+='])}{self.one(_VALUES)}")
        if self.chance(0.05):
            words.append(self.redirection(depth).strip())
        words += self.wrappers()
        words += self.program(depth)
        for _ in range(self.random.choice([0, 1, 1, 2, 3])):
            words.append(self.word(depth))
        line = " ".join(words)
        while self.chance(0.12):
            line += self.redirection(depth)
        return line

    def wrappers(self) -> list[str]:
        words: list[str] = []
        while self.chance(0.1) and len(words) < 60:
            words += self.one(
                _words(
    """
    nohup exec command builtin time env sudo xargs $X
    """
)
            ).split()  # fmt: skip
        if self.chance(0.002):
            words = [self.one(["nohup", "env", "sudo", "xargs", "command"])] * self.random.randint(18, 24)
        return words

    def program(self, depth: int) -> list[str]:
        match self.random.randint(0, 19):
            case 0 if depth < 4:
                options = self.one(
                    ["-c", "-c", "-ec", "-euxc", "-eo pipefail -c", "-o pipefail -ec", "-lc", "-x", "-c -e"]
                )
                line = self.list_(self.random.choice([0, 0, 1]), depth + 1)
                inner = shlex.quote(line) if self.chance(0.8) else '"' + line.replace('"', "") + '"'
                return [self.one(["bash", "sh", "zsh", "/bin/sh", "ksh"]), *options.split(), inner]
            case 1 if depth < 4:
                return [
                    "eval",
                    shlex.quote(self.list_(self.random.choice([0, 0, 1]), depth + 1))
                    if self.chance(0.7)
                    else self.word(depth),
                ]
            case 2:
                return [
                    "export",
                    *(self.one(["A=1", "PATH=/x", "foo=1", "X", "http_proxy=1", "X=$X", "-p", "A+=1"]) for _ in "ab"),
                ]
            case 3 if depth < 4:
                end = self.one(["\\;", "+", "';'", ";", ""])
                return [
                    "find",
                    self.one(_PATHS),
                    "-name",
                    "x",
                    self.one(["-exec", "-execdir", "-ok"]),
                    self.simple(depth + 1),
                    "{}",
                    end,
                ]
            case 4:
                return [self.one(["cd", "cd", "pushd"]), self.spelled(self.one(_PATHS))]
            case 5:
                return ["su", self.one(["-c", "root -c", "-"]), shlex.quote(self.list_(1, 4))]
            case _:
                return [self.spelled(self.one(_PROGRAMS)) if self.chance(0.97) else self.word(depth)]

    def here_document(self, depth: int) -> str:
        name = self.one(["E", "EOF", "end_1"])
        sign = self.one([name, f"'{name}'", f'"{name}"', f"\\{name}", f"'{name}", f"{name}x"])
        operator = self.one(["<<", "<<", "<<-", "<< ", "0<<", "3<<"])
        body = self.one(
            ["text\n", "", "$X\n", "$(x)\n", "é\n", "\ta\n", f" {name}\n", "\\x\n", f"{self.list_(1, 4)}\n"]
        )
        program = self.one(
            ["cat", "bash", "sh", "bash -e", "sh -s", "tee x", "> x cat", "sudo bash", "env bash", "python3 -"]
        )
        behind = self.one(["", "", "", " > x", " | sh", " < y", "; ls", " # c", " && rm x", f" <<{name}", " <&3"])
        tab = "\t" if operator == "<<-" and self.chance(0.5) else ""
        return f"{program} {operator}{sign}{behind}\n{body}{tab}{name}{self.one(['', chr(10), ' '])}"

    def redirection(self, depth: int) -> str:
        operator = self.one(
            [">", ">", ">>", "<", "2>", "2>&1", ">&2", "&>", ">|", "<>", "2>&-", ">&", "1>", "<&0", "2>>", "<&"]
        )
        if operator in ("2>&1", ">&2", "2>&-", "<&0"):
            return f" {operator}"
        target = self.spelled(self.one(_PATHS)) if self.chance(0.8) else self.word(depth)
        return f" {operator}{self.one(['', ' '])}{target}"

    def word(self, depth: int) -> str:
        roll = self.random.random()
        if roll < 0.4:
            return self.spelled(self.one(_WORDS))
        if roll < 0.72:
            return self.spelled(self.one(_PATHS))
        if roll < 0.8:
            return self.one(_GLOBS)
        if roll < 0.88:
            return self.one(_UNKNOWN)
        if roll < 0.91:
            return self.one(["$HOME", "${HOME}", "$PWD", "${PWD}"]) + self.one(
                ["", "/.ssh", "/src/a", "/*", "x", "/.env"]
            )
        if roll < 0.93:
            return self.one(_ODD)
        if depth > 3:
            return "x"
        inner = self.list_(0, depth + 1)
        form = self.one(["$({})", '"$({})"', "`{}`", "<({})", ">({})", 'a"b$({})c"d', "$( {}\n)"])
        return form.replace("{}", inner)

    def spelled(self, text: str) -> str:
        """The text as a word of the shell, written in one of many ways."""
        if self.chance(0.7):
            return text
        match self.random.randint(0, 5):
            case 0:
                return shlex.quote(text)
            case 1:
                return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
            case 2:
                at = self.random.randint(0, len(text))
                return text[:at] + "\\" + text[at:]
            case 3:
                at = self.random.randint(0, len(text))
                return text[:at] + self.one(["''", '""', "\\\n"]) + text[at:]
            case 4:
                at, end = sorted(self.random.randint(0, len(text)) for _ in range(2))
                sign = self.one(["'", '"'])
                return text[:at] + sign + text[at:end] + sign + text[end:]
            case _:
                return (
                    text.replace("~", "$HOME", 1)
                    if text.startswith("~")
                    else f"${{X}}{text}"
                    if self.chance(0.1)
                    else text
                )

    # --- rules

    def book(self) -> list[dict[str, Any]]:
        """A small rule book. Its rules have the keys of a document, without examples."""
        return [self.rule(f"rule-{at}") for at in range(self.random.randint(1, 8))]

    def some(self, of: list[str], most: int = 3) -> list[str]:
        return [self.one(of) for _ in range(self.random.randint(1, most))]

    def rule(self, name: str) -> dict[str, Any]:
        effect = self.one(["allow", "allow", "allow", "ask", "deny"])
        rule: dict[str, Any] = {"name": name, "effect": effect, "reason": "Because."}
        if self.chance(0.2):
            rule["risk"] = self.one(["low", "medium", "high"])
        sort = self.one(["command"] * 5 + ["path", "path", "host", "variable", "line", "none"])
        if sort == "line" and effect == "allow":
            sort = "command"
        if sort == "command":
            self.command_rule(rule)
        elif sort == "path":
            rule["path"] = self.some(self.path_patterns)
            if self.chance(0.5):
                rule["access"] = sorted(set(self.some(["read", "write", "delete"])))
        elif sort == "host":
            rule["host"] = self.some(["*", "example.com", "*.example.com", "*.org", "LOCALHOST", "[::1]"])
        elif sort == "variable":
            rule["variable"] = self.some(["*", "PATH", "LD_*", "X=*", "A=1", "*proxy", "HOME=~*", "PWD", "FOO=?"])
        elif sort == "line":
            rule["line"] = self.some(["*rm*", "git *", "*|*sh*", "ls", "*\n*", "*$X*"])
        if sort == "none" or self.chance(0.15):
            key = self.one(["tool", "kind", "agent", "mode", "project", "plan"])
            rule[key] = self.some(
                {
                    "tool": ["Bash", "mcp__*", "*"],
                    "kind": ["execute", "other", "write", "*e*"],
                    "agent": ["claude", "c*"],
                    "mode": ["headless", "*"],
                    "project": ["app", "*"],
                    "plan": ["p1", "*"],
                }[key]
            )
        return rule

    path_patterns = _words(
        """
    ./** ~/** /** ** ./src/** ~/.ssh/** **/.env **/.env* **/.git/** ./*.py ~/.ssh/id_* /etc/* /tmp/** . ~ /
    **/id_* ./.git/hooks/* ~/.* **/hooks/** **/x **/*_rsa ./* ./**/*.ts
    """
    )

    def command_rule(self, rule: dict[str, Any]) -> None:
        patterns: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            words = [self.one(["*", "git", "rm", "cat", "ls", "sudo", "xargs", "find", "cd", "echo", *_PROGRAMS[:60]])]
            words += [
                self.one(["*", "*", "-*", "status", "log", "push", "x*", *_WORDS[:40]])
                for _ in range(self.random.choice([0, 0, 0, 1, 2]))
            ]
            words += ["$"] if self.chance(0.1) else []
            patterns.append(" ".join(words))
        rule["command"] = patterns
        entries = ["-f", "-r", "-n", "-c", "--force", "--output", "--hard", "-delete", "-exec*", "X=*", "--f*", "--all"]
        if self.chance(0.2):
            rule["flags"] = ["|".join(self.some(entries, 2)) for _ in "a"]
            if rule["effect"] == "allow":
                rule["flags"] = [entry.replace("--f*", "--force") for entry in rule["flags"]]
        if self.chance(0.2):
            rule["without"] = self.some(entries)
        if self.chance(0.2):
            rule["operands"] = self.some(self.path_patterns)
        if self.chance(0.4):
            rule["within"] = "any" if self.chance(0.4) else self.some(self.path_patterns)
        if self.chance(0.2):
            rule["text"] = self.random.randint(1, 2)
        if self.chance(0.3):
            rule["expansions"] = self.one(["none", "globs", "all"])

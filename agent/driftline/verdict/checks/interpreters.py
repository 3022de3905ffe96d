"""Interpreters: which of an exec's arguments is the script it will run.

In: the name an interpreter was called by, its arguments. Out: the files it takes code from, at most ``MAX_SCRIPTS``.
Why: a script is code, and the kernel only sees that its interpreter ran; the interpreter's next open of that file tells
where the script comes from. Sources: the manual page of each interpreter. Code that comes by a pipe, by ``-c`` or by
``source`` has no file among the arguments. Next: ``scripts``.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_SCRIPTS = 4
"""Files kept of one call: an interpreter runs one script; jars and preloaded modules come on top."""
MAX_WORDS = 64
"""Arguments looked at: the script comes early."""


def names_in(text: str) -> frozenset[str]:
    """Return the words of ``text``: tables of names read better so."""
    return frozenset(text.split())


class Syntax(NamedTuple):
    """How an interpreter reads its arguments."""

    ends: frozenset[str] = frozenset()  # options that say there is no script: the code is in the arguments, or a module
    takes: frozenset[str] = frozenset()  # options followed by a word of their own
    files: frozenset[str] = frozenset()  # options whose word is a file of code
    letters: str = ""  # of ``ends``, those that also count inside a group: ``sh -ec``
    positional: bool = True  # whether the first word that is no option is the script


def _syntax(ends: str = "", takes: str = "", files: str = "", letters: str = "", positional: bool = True) -> Syntax:
    return Syntax(names_in(ends), names_in(takes), names_in(files), letters, positional)


_SHELL = _syntax("-c -s", "-o +o -O +O", "--rcfile --init-file", "cs")
_PYTHON = _syntax("-c -m -", "-W -X --check-hash-based-pycs", letters="cm")
_PERL = _syntax("-e -E", "-I -M -m", letters="eE")
_RUBY = _syntax("-e", "-I -C -E -r", letters="e")
_NODE = _syntax("-e --eval -p --print -", "-C --conditions", "-r --require --import --loader --experimental-loader")
_PHP = _syntax("-r -S", "-c -d -t -z", "-f --file -F")
_LUA = _syntax("", "-e -l", letters="")
_JAVA = _syntax("", "-m --module -p --module-path", "-jar -cp -classpath --class-path", positional=False)
_AWK = _syntax("", "-F -v", "-f --file -E", positional=False)
_PLAIN = _syntax("-e")

_SYNTAX: dict[str, Syntax] = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "rbash", "fish"), _SHELL),
    **dict.fromkeys(("python", "pypy", "micropython"), _PYTHON),
    "perl": _PERL,
    **dict.fromkeys(("ruby", "jruby"), _RUBY),
    **dict.fromkeys(("node", "nodejs", "bun", "deno"), _NODE),
    **dict.fromkeys(("php", "php-cgi"), _PHP),
    **dict.fromkeys(("lua", "luajit"), _LUA),
    "java": _JAVA,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _AWK),
    **dict.fromkeys(("tclsh", "wish", "Rscript", "expect", "guile", "groovy"), _PLAIN),
}
_MARKS = ("-", "+")
_VERBS = frozenset({"run", "exec"})  # deno run x, bun run x
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "rbash", "fish"})


def base_name(program: str) -> str:
    """Return ``program`` without directory and version: ``/usr/bin/python3.11`` → ``python``."""
    name = program[program.rfind("/") + 1 :]
    if name in _SYNTAX:
        return name
    return name.rstrip("0123456789.-") or name


def is_interpreter(name: str) -> bool:
    """Whether a program of this name (without directory) runs what its arguments say."""
    return name in _SYNTAX or name.rstrip("0123456789.-") in _SYNTAX


def scripts_of(name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files the interpreter ``name``, called with ``words`` (without its own name), takes code from."""
    syntax = _SYNTAX.get(base_name(name))
    if syntax is None:
        return ()
    found: list[str] = []
    rest = iter(words[:MAX_WORDS])
    for word in rest:
        if word == "--" or word[:1] not in _MARKS:
            script = next(rest, "") if word == "--" or word in _VERBS else word
            found += [script] if syntax.positional else []
            break
        if word in syntax.ends or _ends(word, syntax):
            break
        option, equals, value = word.partition("=")
        if option in syntax.files:
            found += _files(value if equals else next(rest, ""), option)
        elif _takes(word, syntax):
            next(rest, "")
    return tuple(dict.fromkeys(one for one in found if one))[:MAX_SCRIPTS]


def _ends(word: str, syntax: Syntax) -> bool:
    """Whether a group of one-letter options (``-ec``) says that there is no script."""
    if word[1:2] == "-" or word[0] != "-":
        return False
    for letter in word[1:]:
        if letter in syntax.letters:
            return True
        if f"-{letter}" in syntax.takes or f"-{letter}" in syntax.files:
            return False  # the rest is its word
    return False


def _takes(word: str, syntax: Syntax) -> bool:
    """Whether the next word belongs to this option: ``-o pipefail``, ``-euo pipefail``."""
    return word in syntax.takes or (word[1:2] != "-" and f"{word[0]}{word[-1]}" in syntax.takes)


def _files(value: str, option: str) -> list[str]:
    if option in ("-cp", "-classpath", "--class-path"):
        return [part for part in value.split(":") if part.endswith(".jar")]
    return [value]

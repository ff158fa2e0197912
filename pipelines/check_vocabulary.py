"""Checks that identifiers, file names and prose use the standard terms of the field.

    python -m pipelines.check_vocabulary [--at-most N] [PATH ...]

`docs/vocabulary.csv` lists terms that earlier versions used, and the standard term for each.
A term is looked for where a name is defined (class, function, argument, variable, attribute,
keyword of a dataclass), in file names and, where the table says so, in prose: docstrings,
comments, messages and Markdown. `make lint` runs it on the whole repository with `--at-most`: the
number of terms that are still there, which may only fall.
"""

import argparse
import ast
import csv
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding", "Term", "check_file", "read_vocabulary"]

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "vocabulary.csv"
FOLDERS = ("seaice", "pipelines", "benchmarks", "tests", "docs", "notebooks")
FILES = ("README.md", "Makefile", "pyproject.toml")
PROSE_SUFFIXES = (".md", ".ipynb", ".toml", "")  #: the last: Makefile


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term that is not used, and the standard one."""

    term: str
    standard: str
    prose: bool  #: whether it is refused in prose too, not only as an identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A private term in a file."""

    path: Path
    line: int
    text: str  #: the identifier or the words
    standard: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}: use {self.standard}"


def read_vocabulary(path: Path = TABLE) -> dict[str, Term]:
    """The table, by term."""
    with path.open(newline="", encoding="utf-8") as file:
        return {
            row["term"]: Term(
                term=row["term"], standard=row["standard"], prose=row["prose"] == "yes"
            )
            for row in csv.DictReader(file)
        }


def _definitions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module defines, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(name)):
                yield getattr(node, "lineno", 1), name


def _prose(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Lines of prose: all of Markdown, comments and strings of Python."""
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT or (
            token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1))
            and " " in token.string
        ):
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def check_file(path: Path, vocabulary: dict[str, Term]) -> list[Finding]:
    """Private terms in one file, by line."""
    source = path.read_text(encoding="utf-8")
    findings = []
    name = path.stem.removeprefix("test_")
    if name in vocabulary:
        findings.append(
            Finding(path=path, line=1, text=path.name, standard=vocabulary[name].standard)
        )
    if path.suffix == ".py":
        for line, name in _definitions(ast.parse(source)):
            term = vocabulary.get(name) or vocabulary.get(name.lstrip("_"))
            if term is not None:
                findings.append(Finding(path=path, line=line, text=name, standard=term.standard))
    words = [re.escape(term.term) for term in vocabulary.values() if term.prose]
    pattern = re.compile(r"\b(" + "|".join(words) + r")\b", re.IGNORECASE)
    if words and (path.suffix == ".py" or path.suffix in PROSE_SUFFIXES):
        for line, text in _prose(path, source):
            for match in pattern.finditer(text):
                term = vocabulary[match[1].lower()]
                findings.append(
                    Finding(path=path, line=line, text=match[0], standard=term.standard)
                )
    return sorted(findings, key=lambda finding: (str(finding.path), finding.line))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
            continue
        for suffix in (".py", ".md", ".ipynb"):
            yield from (p for p in sorted(path.rglob(f"*{suffix}")) if ".ipynb_" not in str(p))


def main(arguments: Sequence[str]) -> int:
    """Print every finding; exit code 1 where there are more than allowed."""
    parser = argparse.ArgumentParser(description="Find private terms.")
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; default: all")
    parser.add_argument("--at-most", type=int, default=0, help="number of findings allowed")
    options = parser.parse_args(arguments)
    vocabulary = read_vocabulary()
    paths = options.paths or [ROOT / name for name in (*FOLDERS, *FILES)]
    findings = [finding for path in _files(paths) for finding in check_file(path, vocabulary)]
    files = len({finding.path for finding in findings})
    if len(findings) > options.at_most:
        print("\n".join(map(str, findings)))
    print(f"{len(findings)} private terms in {files} files, {options.at_most} allowed")
    return int(len(findings) > options.at_most)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

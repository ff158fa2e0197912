"""Every block of code in the docs is run or says why not; what is typed exists; links lead on."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from seaice.cli import app

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
GENERATED = ("commands.md", "changelog.md", "security.md")  #: by docs/conf.py
DOCS = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if not {"_build", "_api"} & set(path.parts) and path.name not in GENERATED
)
PAGES = [ROOT / "README.md", *DOCS]
MADE = ("products", "seaice_sic_north_svalbard_20180428_v0.1")  #: of the pages: `make daily`'s
EXCUSE = re.compile(r"<!-- not run: (.{10,}) -->")
#: Pages whose every block has the same excuse.
EXCUSED = {
    "docs/architecture.md": "shows data and folders",
    "docs/operations.md": "wants clusters, stores and days of granules; tests of seasons run them",
    "docs/reality.md": "wants real samples",
    "docs/training.md": "trains for hours; tests of learning run the commands on tiny sets",
}
EXCUSED_FOLDERS = {"docs/models": "trains networks; tests/test_compare.py trains tiny ones"}


class Block(NamedTuple):
    """A block of code of a page."""

    page: str
    line: int
    language: str  #: "" of an indented block
    code: str
    excuse: str


def blocks_of(path):
    page, result = str(path.relative_to(ROOT)), []
    lines, number = path.read_text().splitlines(), 0
    excuse, in_list = excused(page), False
    told = ""
    while number < len(lines):
        line, start = lines[number], number + 1
        if match := EXCUSE.fullmatch(line.strip()):
            told = match[1]
        elif match := re.match(r"( *)```+\{?([\w-]*)", line):
            end = next(n for n in range(start, len(lines)) if lines[n].strip().startswith("```"))
            code = "\n".join(each[len(match[1]) :] for each in lines[start:end])
            if "{" not in line:
                result.append(Block(page, start, match[2], code, told or excuse))
            number, told = end, ""
        elif line.startswith("    ") and line.strip() and not in_list:
            end = start
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            code = "\n".join(each[4:] for each in lines[number:end]).rstrip()
            result.append(Block(page, start, "", code, told or excuse))
            number, told = end - 1, ""
        elif line.strip():
            in_list, told = bool(re.match(r"([-*]|\d+\.) ", line)) or line.startswith("  "), ""
        number += 1
    return result


def excused(page):
    folders = (why for folder, why in EXCUSED_FOLDERS.items() if page.startswith(folder))
    return EXCUSED.get(page) or next(folders, "")


def spans_of(path):
    """Code within sentences."""
    page, fenced = str(path.relative_to(ROOT)), False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        for code in re.findall(r"`([^`]+)`", "" if fenced else line):
            yield Block(page, number, "", code, "within a sentence")


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
SPANS = [span for path in PAGES for span in spans_of(path)]
RUN = [block for block in BLOCKS if not block.excuse]


def where(block):
    return f"{block.page}:{block.line}"


def commands(block):
    """Each command of a block as words, without comments, variables and what Python says."""
    if block.language not in ("", "bash", "console"):
        return []
    lines = block.code.replace("\\\n", " ").splitlines()
    typed = (
        line for line in lines if re.match(r"([A-Z_]+=\S* )*(make|(\.venv/bin/)?seaice) ", line)
    )
    return [without_variables(shlex.split(line, comments=True)) for line in typed]


def without_variables(words):
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


@cache
def all_commands():
    return typer.main.get_command(app)


TYPED = [(block, words) for block in BLOCKS + SPANS for words in commands(block)]


@pytest.mark.parametrize(
    ("block", "words"), TYPED, ids=[f"{where(block)}-{' '.join(w[:3])}" for block, w in TYPED]
)
def test_what_is_typed_exists(block, words):
    program, *rest = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
        names = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", makefile))
        for word in rest:
            name, sign, _ = word.partition("=")
            assert (name in names) if sign else (word in targets), word
        return
    command = all_commands()
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, rest[0]
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {"--help", "--install-completion"}
    for word in rest:
        if word.startswith("-") and not re.match(r"-\d|--$", word) and word != "-":
            assert word.partition("=")[0] in known, word


def test_excuses_are_of_pages_with_blocks():
    pages = {block.page for block in BLOCKS}
    assert set(EXCUSED) <= pages
    assert {str(Path(page).parent) for page in pages} >= set(EXCUSED_FOLDERS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://|#|mailto:", target):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_in_the_table_of_contents():
    listed = re.findall(r"^[\w/]+$", (ROOT / "docs" / "index.md").read_text(), re.M)
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in DOCS}
    pages |= {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    pages |= {Path(name).stem for name in GENERATED}
    of_networks = {page for page in pages if page.startswith("models/")}
    assert pages - of_networks - {"index"} == set(listed)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with a product under the name that the pages use, its truth, and granules."""
    from seaice.workflow.demo import SMALL_REGION, small_day

    folder = tmp_path_factory.mktemp("docs")
    like_a_checkout(folder)
    demo = small_day("2020-03-03", folder / "small")
    shutil.copytree(demo.granules, folder / "granules")
    truth = folder / "products" / "simulated" / "small" / "truth" / "truth_20180428.nc"
    truth.parent.mkdir(parents=True)
    shutil.copy(demo.truth, truth)
    told = ["--date", "2020-03-03", "--granules", "granules", "--region", SMALL_REGION]
    run(f"seaice daily {shlex.join(told)} --sr bicubic --sic asi", folder)
    (result,) = (folder / "products").glob("seaice_sic_*_v*/")
    target = folder.joinpath(*MADE)
    shutil.copytree(result, target)
    for path in sorted(target.rglob(f"{result.name}*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.replace(result.name, MADE[1])))
    return folder


def like_a_checkout(folder):
    """Makefile and environment, so that `make` finds all installed and works in this folder."""
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix, name))
    for name in ("Makefile", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    for name in (".torch", ".run"):
        (folder / ".venv" / name).touch()


def run(script, folder):
    environment = {name: text for name, text in os.environ.items() if "SEAICE" not in name}
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=map(where, RUN))
def test_a_block_runs(block, sandbox):
    if block.language == "python":
        (sandbox / "block.py").write_text(block.code)
        run("python block.py", sandbox)
    elif block.language == "toml":
        (sandbox / "block.toml").write_text(block.code)
        run("seaice daily --settings block.toml --show-settings", sandbox)
    else:
        assert block.language in ("", "bash"), f"neither Python nor a command: {where(block)}"
        run(block.code, sandbox)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    words = ["sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "docs", tmp_path]
    run(f"SEAICE_DOCS_NOTEBOOKS=off {shlex.join(map(str, words))}", ROOT)
    pages = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.html")}
    assert {"index.html", "commands.html", "howto/why.html", "_api/seaice.html"} <= pages

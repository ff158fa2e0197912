"""How the documentation is built: `make docs`. Warnings are errors; nothing is fetched."""

import os
import re
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("SEAICE_PRODUCTS", str(ROOT / "build" / "notebooks"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "seaice"
author = "the seaice authors"
release = "0.1.0"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}

myst_heading_anchors = 3
highlight_language = "none"
suppress_warnings = ["ref.python"]  # words of shapes, (y, x), that are attributes somewhere, too

nb_execution_mode = os.environ.get("SEAICE_DOCS_NOTEBOOKS", "cache")  # "off": quick, no pictures
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "seaice"
html_show_sphinx = False


def write_page(name: str, text: str) -> None:
    """A page made here, touched only where it differs, so that a second build is quick."""
    page = HERE / name
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def write_commands() -> None:
    """The page of commands, from what each says of itself."""
    typer = Path(sys.executable).with_name("typer")
    told = subprocess.run(  # noqa: S603  our own program
        [typer, "seaice.cli", "utils", "docs", "--name", "seaice"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    write_page("commands.md", told.stdout.replace("# `seaice`", "# Commands", 1).rstrip() + "\n")


def write_modules() -> None:
    """A page for each package, with all its modules."""
    packages = sorted(path.parent for top in TOPS for path in (ROOT / top).rglob("__init__.py"))
    names = [".".join(package.relative_to(ROOT).parts) for package in packages]
    for package, name in zip(packages, names, strict=True):
        stems = sorted(path.stem for path in package.glob("*.py"))
        modules = [name, *(f"{name}.{stem}" for stem in stems if not stem.startswith("__"))]
        heads = [
            f"{module}\n{'-' * len(module)}\n\n.. automodule:: {module}\n   :members:\n"
            for module in modules
        ]
        write_page(f"_api/{name}.rst", "\n".join([name, "=" * len(name), "", *heads]))
    for page in HERE.glob("_api/*.rst"):
        if page.stem not in names:
            page.unlink()


def plainly(
    app: Sphinx, what: str, name: str, told: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text: `|x|` is no substitution, and a trailing `_` no link."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "..")):
            lines[number] = re.sub(r"(?<=\w)_(?=\W|$)", r"\_", line.replace("|", r"\|"))


def within(app: Sphinx, name: str, source: list[str]) -> None:
    """Links that lead out of this folder, as they must where pages are read in the repository."""
    here = "](" + "../" * name.count("/")
    source[0] = re.sub(r"\]\((\.\./)+notebooks/", f"{here}notebooks/", source[0])
    source[0] = re.sub(r"\]\((\.\./)+SECURITY", f"{here}security", source[0])


def write_copies() -> None:
    """Pages and notebooks that lie elsewhere in the repository."""
    for path in (ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"):
        write_page(path.name.lower(), path.read_text().replace("](docs/", "]("))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        write_page(f"notebooks/{path.name}", path.read_text())


def setup(app: Sphinx) -> None:
    """What is done to pages and, before Napoleon's own look, to docstrings."""
    app.connect("source-read", within)
    app.connect("autodoc-process-docstring", plainly, priority=900)


TOPS = ("seaice", "pipelines")
write_commands()
write_modules()
write_copies()

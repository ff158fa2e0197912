"""Provenance records the commit of the code and whether its files were modified."""

import subprocess
from pathlib import Path

import pytest

from seaice.product import provenance as module
from seaice.product.provenance import commit, modified, provenance
from tests.support.products import made_product

HERE = Path(__file__).parents[1]


def git(folder, *words):
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    result = subprocess.run(
        ["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


@pytest.fixture
def clone(tmp_path, monkeypatch):
    (tmp_path / "seaice").mkdir()
    (tmp_path / "seaice" / "code.py").write_text("one")
    (tmp_path / "notes").write_text("one")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    return tmp_path


def test_the_root_is_that_of_this_clone():
    assert (module.REPOSITORY / "pyproject.toml").samefile(HERE / "pyproject.toml")
    if (HERE / ".git").exists():
        assert commit() == git(HERE, "rev-parse", "HEAD")
        assert modified() in (True, False)


def test_a_clone_is_known_by_its_commit(clone, monkeypatch):
    assert (commit(), modified()) == (git(clone, "rev-parse", "HEAD"), False)
    monkeypatch.setenv("GIT_DIR", str(HERE / ".git"))  # as in a hook of another clone
    assert commit() == git(clone, "--git-dir", str(clone / ".git"), "rev-parse", "HEAD")


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_modified_code_is_reported_and_other_files_are_ignored(change, clone):
    (clone / "notes").write_text("two")
    assert modified() is False
    code = clone / "seaice" / "code.py"
    if change == "edited":
        code.write_text("two")
    elif change == "added":
        code.with_name("more.py").write_text("two")
    else:
        code.unlink()
    assert modified() is True


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    assert (commit(), modified()) == (None, None)


def test_the_document_has_commit_and_modified(clone):
    document = provenance(made_product(), inputs={}, settings={}, warnings=[])
    result = document["code"]
    assert (result["commit"], result["modified"]) == (commit(), False)

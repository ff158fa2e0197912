"""`make` takes any supported Python by name or by path, and keeps an environment for each."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def planned(folder, *words):
    """What make would type to check types."""
    shutil.copy(MAKEFILE, folder)
    (folder / "pyproject.toml").touch()
    return subprocess.run(
        ["make", "-n", "types", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_another_python_gets_an_environment_of_its_own(tmp_path):
    python = Path(sys.executable).resolve()
    first = planned(tmp_path, f"PYTHON={python}")
    assert f'"{python}" -m venv .venv\n' in first.stdout, first.stderr

    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    other = tmp_path / ".venv" / "bin" / "python"
    other.write_text("#!/bin/sh\necho 3.8\n")
    other.chmod(0o755)
    own = ".venv-{}.{}".format(*sys.version_info)
    assert f'"{python}" -m venv {own}\n' in planned(tmp_path, f"PYTHON={python}").stdout
    assert ".venv/bin/mypy" in planned(tmp_path).stdout
    named = planned(tmp_path, f"PYTHON={python}", "VENV=elsewhere")
    assert f'"{python}" -m venv elsewhere\n' in named.stdout
    absent = planned(tmp_path, "PYTHON=python3.99")
    assert absent.returncode
    assert "PYTHON=python3.99 does not run" in absent.stderr

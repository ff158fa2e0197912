"""What must not be in the tree: whatever turns data into code, or secrets into logs."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for top in ("seaice", "pipelines", "benchmarks") for path in (ROOT / top).rglob("*.py")
)
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "yaml",
    "code", "codeop", "telnetlib", "ftplib", "xmlrpc",
}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
ALLOWED_NAMES = {("pickle", "UnpicklingError")}  # caught, where PyTorch refuses a file


def dotted(node):
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
    return ""


def told(call):
    return {word.arg: getattr(word.value, "value", None) for word in call.keywords}


def harmful(tree):
    """What in a module turns data into code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module, each.name) for each in node.names]
            if node.module in FORBIDDEN_MODULES:
                yield from (f"{a}.{b}" for a, b in names if (a, b) not in ALLOWED_NAMES)
        elif isinstance(node, ast.Call):
            yield from harmful_call(node)


def harmful_call(node):
    name, words = dotted(node.func), told(node)
    if name in FORBIDDEN_CALLS or name.endswith(".extractall"):
        yield name
    if words.get("shell") or words.get("allow_pickle"):
        yield f"{name}(shell or allow_pickle)"
    if name == "torch.load" and words.get("weights_only") is not True:
        yield "torch.load without weights_only=True"
    if name.endswith("AutoAddPolicy") or words.get("verify", True) is False:
        yield f"{name} without a check of who answers"


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import loads", "eval('1')", "exec('x')",
        "subprocess.run('ls', shell=True)", "np.load(p, allow_pickle=True)", "torch.load(p)",
        "archive.extractall(p)", "import yaml", "requests.get(u, verify=False)", "os.system('x')",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(line):
    assert list(harmful(ast.parse(line)))


def test_nothing_turns_data_into_code():
    assert len(SOURCES) > 100
    result = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in SOURCES
        for what in harmful(ast.parse(path.read_text()))
    }
    assert result == set()


def test_no_secret_is_in_the_tree():
    patterns = [
        r"AKIA[0-9A-Z]{16}", r"-----BEGIN [A-Z ]*PRIVATE KEY", r"gh[pousr]_[A-Za-z0-9]{36}",
        r"://[^/\s:@\"'{}]+:[^/\s:@\"'{}]{6,}@",
    ]  # fmt: skip
    texts = [path for path in ROOT.glob("*.*") if path.is_file()] + SOURCES
    texts += [*(ROOT / "docs").rglob("*.md")]
    for path in texts:
        content = path.read_text(errors="replace")
        assert not [pattern for pattern in patterns if re.search(pattern, content)], path


def test_weights_are_known_by_their_hash_and_another_file_has_another_product(tmp_path):
    from seaice.config import NetworkSettings
    from seaice.workflow.plan import method

    shipped = ROOT / "seaice" / "models" / "sr" / "weights" / "espcn.safetensors"
    content = shipped.read_bytes()
    (tmp_path / "changed.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told = [
        method("sr", NetworkSettings(name="espcn", weights=path), tmp_path / "notes.json").sha256
        for path in (shipped, tmp_path / "changed.safetensors")
    ]
    assert None not in told
    assert told[0] != told[1]


def test_every_dependency_is_locked_by_hash():
    lock = (ROOT / "requirements.lock").read_text()
    entry = r"^([A-Za-z0-9_.-]+)==[^\s\\]+ (?:; [^\n]+ )?\\\n(?:    --hash=sha256:\w{64}.*\n)+"
    locked = {name.lower().replace("_", "-") for name in re.findall(entry, lock, re.M)}
    pinned = set(re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.M))
    assert locked == {name.lower().replace("_", "-") for name in pinned}
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=]", name)[0].lower() for name in project["dependencies"]}
    assert needed <= locked
    assert not re.search(r"https?://|file:", lock)

"""The check of vocabulary finds private terms where names are defined and in prose, only there."""

import pytest

from pipelines.check_vocabulary import check_file, read_vocabulary

VOCABULARY = read_vocabulary()


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("told = 1\n", ["told"]),
        ("def f(doubt):\n    return doubt\n", ["doubt"]),
        ("class Told:\n    pass\n", ["Told"]),
        ("x.told = 1\n", ["told"]),
        ("import numpy as found\n", ["found"]),
        ("print(told)\n", []),  # a use: the definition is what is refused
        ("'what the lesson was'\n", ["lesson"]),
        ("x = 1  # the teller of it\n", ["teller"]),
        ("prediction = 1\n", []),
        ("'files found in the folder'\n", []),  # ordinary English
    ],
)
def test_python(source, texts, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(source)
    assert [finding.text for finding in check_file(path, VOCABULARY)] == texts


def test_file_names_and_markdown(tmp_path):
    module = tmp_path / "test_halves.py"
    module.write_text("")
    assert [finding.text for finding in check_file(module, VOCABULARY)] == ["test_halves.py"]
    page = tmp_path / "page.md"
    page.write_text("One.\nThe network was taught.\n")
    (finding,) = check_file(page, VOCABULARY)
    assert (finding.line, finding.text, finding.standard) == (2, "taught", "trained")


def test_every_term_has_a_standard_one_that_is_not_private_itself():
    for term in VOCABULARY.values():
        assert term.standard
        assert term.standard not in VOCABULARY

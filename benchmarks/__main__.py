"""Everything that is measured, in one table: `make bench`, or `make bench ONLY="reading writing"`.

Each subject runs in a process of its own, so that its memory is its own. Results are kept in
benchmarks/results.csv, where those of other subjects stay, and in the table of docs/performance.md.
"""

import argparse
import csv
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.measure import measured
from seaice.files import atomic_file

SUBJECTS = ("reading", "gridding", "networks", "north", "writing", "day", "season", "growth")
ON_A_CARD = ("gpu",)  #: only where they are named
HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.csv", HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
Line = dict[str, str]


def kept() -> list[Line]:
    """Lines measured before."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(lines: list[Line]) -> None:
    """Write all lines, in the order of the subjects, and the table of the page."""
    ordered = sorted(lines, key=lambda line: (*SUBJECTS, *ON_A_CARD).index(line["subject"]))
    with atomic_file(RESULTS) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ordered[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    with atomic_file(PAGE) as part:
        part.write_text(f"{before}{BEGIN}\n{table(ordered)}\n{END}{after}")


def table(lines: list[Line]) -> str:
    """Markdown: seconds are wall / processor time."""
    heads = ("what", "sizes", "ours, s", "peer", "peer, s", "ratio", "limit", "share", "MB", "runs")
    said = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for line in lines:
        fraction = f"{float(line['share']):.0%}" if line["share"] else ""
        ratio = f"{float(line['ratio']):.1f}" if line["ratio"] else ""
        told = f"{line['subject']}: {line['what']}" + (f" ({line['note']})" if line["note"] else "")
        cells = (told, line["sizes"], _seconds(line, "ours"), line["peer_is"])
        cells += (_seconds(line, "peer"), ratio, line["limit_is"], fraction, line["peak"])
        said.append(f"| {' | '.join((*cells, line['ours_runs']))} |")
    return "\n".join(said)


def _seconds(line: Line, whose: str) -> str:
    wall, cpu = line[f"{whose}_wall"], line[f"{whose}_cpu"]
    return f"{wall} / {cpu}" if wall else ""


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="*", default=SUBJECTS, help=", ".join(SUBJECTS))
    parser.add_argument("--runs", type=int, default=5, help="of which the median counts")
    told = parser.parse_args()
    known = (*SUBJECTS, *ON_A_CARD)
    strange = set(told.subjects) - set(known)
    if strange:
        parser.error(f"no subject {', '.join(strange)}; there are {', '.join(known)}")
    for subject in told.subjects:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            fresh = pool.submit(measured, subject, told.runs).result()
        print(table(fresh), flush=True)
        keep([line for line in kept() if line["subject"] != subject] + fresh)


if __name__ == "__main__":
    sys.exit(main())

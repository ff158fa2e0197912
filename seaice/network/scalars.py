"""How training goes, as JSON lines, and for TensorBoard where that is installed."""

import json
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Scalars"]


class Scalars:
    """Numbers by step. Those after `step`, which a killed run wrote, are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "log.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        self._path.write_text("".join(f"{line}\n" for line in kept))
        self._begun = time.monotonic()
        self._board = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Note some numbers of a step."""
        minutes = round((time.monotonic() - self._begun) / 60, 2)
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, "minutes": minutes, **numbers}) + "\n")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)

"""Everything this package raises on purpose.

A message has three parts, in this order: what was found, what was expected, what to do next.
"""

import shlex
import sys

__all__ = [
    "FinalStandsError",
    "GranuleError",
    "NoInputError",
    "OutputError",
    "PredictionError",
    "SeaIceError",
    "SettingsError",
    "StorageError",
    "UnknownNameError",
    "WeightsError",
    "to_install",
]


def to_install(package: str) -> str:
    """What to type to add a package to the very environment that runs.

    >>> to_install("seaice[s3]").endswith(" -m pip install 'seaice[s3]'")
    True
    """
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(package)}"


class SeaIceError(Exception):
    """Base of all errors a user can act on.

    >>> str(SeaIceError("found a cat", "a granule", "give a folder of granules"))
    'found a cat; expected a granule. Do next: give a folder of granules.'
    """

    def __init__(self, found: str, expected: str, hint: str) -> None:
        super().__init__(f"{found}; expected {expected}. Do next: {hint}.")
        self.found = found
        self.expected = expected
        self.hint = hint

    def __reduce__(self) -> tuple[type["SeaIceError"], tuple[str, str, str]]:
        """Three parts again when the error travels between processes."""
        return type(self), (self.found, self.expected, self.hint)


class FinalStandsError(SeaIceError):
    """A provisional product would take the place of a final one, which nobody asked for."""


class GranuleError(SeaIceError):
    """An input file is not what its name says, or cannot be read."""


class NoInputError(SeaIceError):
    """Nothing usable was given for the day or region that was asked for."""


class SettingsError(SeaIceError):
    """A setting is misspelt, out of range, or contradicts another."""


class StorageError(SeaIceError):
    """A disk or network failed while a file was read; the file may be whole."""


class UnknownNameError(SeaIceError, LookupError):
    """A network, region, channel or stage that no table lists."""


class WeightsError(SeaIceError):
    """A weights file is damaged, or belongs to another network."""


class PredictionError(SeaIceError):
    """A network or formula gave no finite value for an observed cell."""


class OutputError(SeaIceError):
    """A product cannot be written where it was asked for."""

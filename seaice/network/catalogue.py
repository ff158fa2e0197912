"""What networks there are: tables of names that are imported only when asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from seaice.errors import UnknownNameError, WeightsError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Architecture", "Role", "architectures", "build", "find", "table"]

Role = Literal["sr", "sic"]

TABLES = ("seaice.sr.catalogue", "seaice.sic.catalogue")  #: modules whose NETWORKS are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What a caller must know of a network before it is built.

    Its module has a frozen dataclass `Hyper`, whose defaults are the published size, a class
    `Network` that takes one, and, where a small size is offered, an instance `COMPACT`.
    """

    name: str
    module: str  #: where it lives
    role: Role
    says: str  #: one line for listings
    paper: str
    learns: Literal["weights", "nothing"] = "weights"
    multiple_of: int = 1  #: cells; tiles begin and end at multiples of this
    margin: int = 0  #: cells at a tile's edge that feel the edge
    #: whether `torch.export` and `torch.compile` take it as it is, in one graph
    exports: Literal["yes", "no"] = "yes"
    choose: str = ""  #: when to, in a sentence or two
    encoder: str = "encoder"  #: the part of it that others' weights and pre-training are for

    def load(self) -> ModuleType:
        """The module of the architecture, imported now."""
        return import_module(self.module)


def table(*entries: Architecture) -> Mapping[str, Architecture]:
    """Entries by their names."""
    return {entry.name: entry for entry in entries}


def architectures() -> Mapping[str, Architecture]:
    """Every network of every table, by name.

    >>> architectures()["pmdrnet"].role
    'sr'
    """
    merged: dict[str, Architecture] = {}
    for name in TABLES:
        merged |= import_module(name).NETWORKS
    return merged


def find(name: str, role: Role | None = None, formulas: Collection[str] = ()) -> Architecture:
    """The network of this name.

    Parameters
    ----------
    role : what it is for; None: anything
    formulas : names of the role that are no networks, for the suggestion

    Raises
    ------
    UnknownNameError
        If no table lists it for this role; the nearest name of the role is suggested.

    >>> find("pmdrent")
    Traceback (most recent call last):
    seaice.errors.UnknownNameError: no network is called 'pmdrent'; ... write 'pmdrnet' ...
    """
    known = architectures()
    if name in known and role in (None, known[name].role):
        return known[name]
    fitting = [*(key for key, one in known.items() if role in (None, one.role)), *formulas]
    begun = [each for each in fitting if each.startswith(name[:3].lower())]
    near = get_close_matches(name, fitting, n=1) or begun
    elsewhere = f"{name!r} is a network for {known[name].role!r}" if name in known else ""
    raise UnknownNameError(
        elsewhere or f"no network is called {name!r}",
        f"one of {', '.join(sorted(fitting))}",
        f"write {near[0]!r} if that is meant" if near else "see `seaice models`",
    )


def build(name: str, hyper: Mapping[str, Any]) -> "nn.Module":
    """A network with fresh weights.

    Parameters
    ----------
    name : as the tables list it
    hyper : fields of its `Hyper` that differ from the published size

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsError
        If `hyper` has fields that the network does not know.

    >>> build("bicubic", {"frames": 5}).hyper.frames
    5
    """
    module = find(name).load()
    unknown = set(hyper) - set(module.Hyper.__dataclass_fields__)
    if unknown:
        raise WeightsError(
            f"hyper-parameters {', '.join(sorted(unknown))} for {name}",
            f"only {', '.join(module.Hyper.__dataclass_fields__)}",
            "use weights made by this version, or another version of this package",
        )
    network: nn.Module = module.Network(module.Hyper(**hyper))
    return network

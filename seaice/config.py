"""What a run may be told, checked once at the edge; inside, functions take plain values."""

import datetime
import json
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from seaice.dates import checked_date
from seaice.errors import SettingsError
from seaice.io.object_store import resolve_remote_paths

__all__ = [
    "Format",
    "FrozenModel",
    "GridSettings",
    "NetworkSettings",
    "RunSettings",
    "Settings",
    "SicSettings",
    "WriteSettings",
    "read_toml",
]

Format = Literal["geotiff", "netcdf", "zarr", "geopackage", "quicklook"]


class FrozenModel(BaseModel):
    """Settings that are checked once, whose mistakes are told in three parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, table: Mapping[str, Any], see: str) -> Self:
        """Settings from a table.

        Parameters
        ----------
        see : where every setting is listed

        Raises
        ------
        SettingsError
            If a key is unknown (the nearest valid one is named) or a value does not fit.
        """
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise _explained(error.errors()[0], cls, see) from error


class RunSettings(FrozenModel):
    """What is made of what, and where it goes."""

    date: datetime.date | None = Field(
        default=None, description="the day to map, UTC, as 2020-03-03 (YYYY-MM-DD)"
    )
    granules: Path | None = Field(
        default=None, description="folder of AMSR2 L1B or L1R granules; or s3://bucket/prefix"
    )
    out: Path = Field(
        default=Path("products"),
        description="folder for products and finished stages; or s3://bucket/prefix for products",
    )
    granules_from: str | None = Field(default=None, description="URL of granules to fetch")
    publish_to: str | None = Field(default=None, description="URL where products are put")
    work: Path = Field(default=Path("seaice_work"), description="folder for what lies at URLs")
    cache_gb: float = Field(default=50, gt=0, description="of fetched granules that are kept, GB")
    hemisphere: Literal["north", "south", "both"] = Field(
        default="north", description="north, south, or both: two products"
    )
    region: str = Field(
        default="all", description='"all", a name, or "west,south,east,north" in degrees'
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto, cpu or cuda; auto is CUDA where PyTorch sees it"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of the networks: float32, nearly the same on every machine, or bfloat16; "
        "auto is bfloat16 on processors that multiply it",
    )
    mode: Literal["auto", "provisional", "final"] = Field(
        default="auto",
        description="provisional: no later days; final: all five or none; auto: what there is",
    )
    replace: Literal["provisional", "final"] = Field(
        default="provisional",
        description="what a provisional map may take the place of: provisional, or final ones too",
    )
    fill: Literal["gaps", "none"] = Field(
        default="gaps", description="of cells not observed: pole hole, days on both sides; or none"
    )

    _near = model_validator(mode="before")(resolve_remote_paths)

    @field_validator("date", mode="before")
    @classmethod
    def _checked_date(cls, given: object) -> datetime.date | None:
        return None if given is None else checked_date(given)

    @property
    def one_hemisphere(self) -> Literal["north", "south"]:
        """The hemisphere of one map.

        Raises
        ------
        SettingsError
            If both are wished for.
        """
        if self.hemisphere == "both":
            raise SettingsError(
                "hemisphere both", "one, for one map", "give --hemisphere north, or south"
            )
        return self.hemisphere


class GridSettings(FrozenModel):
    """How swaths become daily maps."""

    low_frequency: Literal["keep", "drop"] = Field(
        default="keep", description="6.9 to 36.5 GHz: weather filters and some networks need them"
    )


class NetworkSettings(FrozenModel):
    """Which network, and which weights."""

    name: str = Field(description="one that `seaice models` lists")
    weights: Path | None = Field(
        default=None, description="a safetensors file; left out: those shipped with the package"
    )
    dropkey_draws: int = Field(
        default=0,
        ge=0,
        description="draws whose mean is the prediction of a network with DropKey; 0: no DropKey",
    )


class SicSettings(NetworkSettings):
    """Which concentration method, and what may be chosen of formulas and filters."""

    tie_points: Literal["published", "dynamic"] = Field(
        default="published", description="of formulas: published, or dynamic: of the day's data"
    )
    weather_filter: Literal["spreen", "noaa", "nsidc", "none"] = Field(
        default="spreen", description="whose gradient ratios: spreen, noaa, nsidc or none"
    )
    bootstrap_cut: float = Field(
        default=0.0, ge=0, lt=1, description="Bootstrap concentration up to which is open water"
    )
    calibration: Literal["amsr2", "amsre"] = Field(
        default="amsr2", description="of ASI and filters: as observed, or as AMSR-E would see it"
    )


class WriteSettings(FrozenModel):
    """What a product folder holds beside its provenance, and who signs for it."""

    formats: tuple[Format, ...] = Field(
        default=get_args(Format), min_length=1, description="any of these"
    )
    institution: str | None = Field(default=None, description="who issues the maps")
    creator_name: str | None = Field(default=None, description="who answers for them")
    creator_email: str | None = Field(default=None, description="where to ask")
    creator_url: str | None = Field(default=None, description="where they are described")
    naming_authority: str | None = Field(
        default=None, description="who names the files, a reversed domain such as int.example"
    )
    doi: str | None = Field(default=None, description="of the series, as 10.1234/abc")
    license: str | None = Field(default=None, description="under which the maps are given away")

    @property
    def issuer(self) -> dict[str, str]:
        """What was told of who issues the maps, by the name of its ACDD attribute.

        >>> WriteSettings(institution="Ice Service").issuer
        {'institution': 'Ice Service'}
        """
        told: dict[str, str] = self.model_dump(exclude={"formats"}, exclude_none=True)
        return told


class Settings(FrozenModel):
    """Everything one run may be told.

    >>> Settings.from_table({}).run.hemisphere
    'north'
    >>> Settings.from_table({"run": {"hemispere": "south"}})
    Traceback (most recent call last):
    seaice.errors.SettingsError: ... 'hemispere' in [run]; expected ... write 'hemisphere' ...
    """

    run: RunSettings = RunSettings()
    grid: GridSettings = GridSettings()
    sr: NetworkSettings = NetworkSettings(name="pmdrnet")
    sic: SicSettings = SicSettings(name="xception_aspp")
    write: WriteSettings = WriteSettings()

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Checked settings from a table of tables, as TOML gives it.

        Raises
        ------
        SettingsError
            If a key is unknown (the nearest valid one is named) or a value does not fit.
        """
        return cls.checked(_with_default_names(table), "`seaice daily --show-settings`")

    @classmethod
    def read(cls, path: Path | None, told: Mapping[str, Mapping[str, Any]]) -> Self:
        """The settings of a TOML file, with what was `told` on the command line laid over them.

        Parameters
        ----------
        path : TOML file; None for defaults only
        told : {section: {key: value}}; a value of None means it was not told

        Raises
        ------
        SettingsError
            As `from_table`, and where the file is absent or no TOML.
        """
        table = read_toml(path) if path else {}
        for section, values in told.items():
            options = {key: value for key, value in values.items() if value is not None}
            former = table.get(section, {})
            table[section] = former | options if isinstance(former, dict) else former
        return cls.from_table(table)

    def toml(self) -> str:
        """These settings as TOML that `read` takes back; what is not set stands as a comment.

        >>> Settings.from_table(tomllib.loads(Settings().toml())) == Settings()
        True
        """
        return "\n".join(line for name in type(self).model_fields for line in self._section(name))

    def _section(self, name: str) -> Iterator[str]:
        section: FrozenModel = getattr(self, name)
        yield f"[{name}]"
        for key, field in type(section).model_fields.items():
            value = getattr(section, key)
            line = f"# {key} = " if value is None else f"{key} = {_toml_value(value)}"
            yield f"{line}  # {field.description}" if field.description else line
        yield ""


def _with_default_names(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table, where [sr] or [sic] without a `name` mean the default network."""
    named = dict(table)
    for section in ("sr", "sic"):
        if isinstance(named.get(section), dict):
            default = Settings.model_fields[section].default.name
            named[section] = {"name": default} | named[section]
    return named


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises
    ------
    SettingsError
        If it is absent or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(
            f"settings file {path} cannot be read ({error})",
            "a TOML file with sections such as [run] and [sr]",
            "start from the output of `seaice daily --show-settings`",
        ) from error


def _explained(detail: ErrorDetails, model: type[BaseModel], see: str) -> SettingsError:
    """The first complaint of pydantic, in three parts."""
    *where, key = (str(part) for part in detail["loc"][:2])
    section = f"[{where[0]}]" if where else "the file"
    if detail["type"] != "extra_forbidden":
        return SettingsError(
            f"{key} = {shortened(detail['input'])} in {section}",
            f"something else: {detail['msg'].lower()}",
            f"see {see} for every setting and its default",
        )
    inner = model.model_fields[where[0]].annotation if where else model
    valid = list(getattr(inner, "model_fields", {}))
    near = get_close_matches(key, valid, n=1)
    return SettingsError(
        f"unknown setting {key!r} in {section}",
        f"one of {', '.join(valid)}",
        f"write {near[0]!r} if that is meant" if near else "remove it",
    )


def _toml_value(value: object) -> str:
    match value:
        case tuple():
            return f"[{', '.join(_toml_value(item) for item in value)}]"
        case int() | float():
            return repr(value)
        case datetime.date():
            return value.isoformat()
        case _:
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")

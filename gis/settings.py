"""What an installation may set, read from ``ONEMAP_*`` once at the entry points and passed down."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gis.errors import SettingsError
from layers.access import Role, check_access, seen_by
from layers.basis import Unfit, known
from layers.district import District, load_district
from layers.model import DefinitionError, Layer
from layers.registry import load_layers
from layers.rulepacks import RulePack, load_pack, load_packs

__all__ = ["MapDefinition", "Settings", "load_settings"]


def _default_home() -> Path:
    """The user's data directory; for root a system folder, since root's home is closed to the server."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/onemap")
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "onemap"


class Settings(BaseSettings):
    """All settings of one installation.

    Lists are written as in PATH for folders (``os.pathsep``) and with commas for the rest.
    """

    model_config = SettingsConfigDict(env_prefix="ONEMAP_", extra="ignore", frozen=True)

    database_url: str | None = None
    home: Path = _default_home()
    district: Path | None = None
    layers: Annotated[tuple[Path, ...], NoDecode] = ()
    cors: Annotated[tuple[str, ...], NoDecode] = ()
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    public_url: str | None = None
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    tianditu_key: str | None = None
    max_features: int = 10_000
    max_vertices: int = 100_000
    max_requests: Annotated[int, Field(ge=1, le=36)] = 32
    rate_limit: str | None = None
    shutdown_s: Annotated[int, Field(ge=1, le=600)] = 30
    harvest_max_mb: int = 500
    statement_timeout_s: float = 30.0
    threads: int = os.cpu_count() or 1
    tile_cache_mb: Annotated[int, Field(ge=0)] = 64
    allow_imports: bool | None = None
    import_file_mb: Annotated[int, Field(ge=1)] = 200
    import_unzipped_mb: Annotated[int, Field(ge=1)] = 250
    import_zip_ratio: Annotated[int, Field(ge=2)] = 200
    import_zip_entries: Annotated[int, Field(ge=1)] = 10_000
    import_vertices: Annotated[int, Field(ge=4)] = 1_000_000
    import_memory_mb: Annotated[int, Field(ge=256)] = 1024
    import_seconds: Annotated[int, Field(ge=1)] = 60
    keep_uploads_h: Annotated[float, Field(gt=0)] = 24.0
    keep_originals: bool = False
    session_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 12.0
    session_idle_minutes: Annotated[float, Field(gt=0, le=60 * 24 * 30)] = 60.0
    password_time_cost: Annotated[int, Field(ge=1)] = 3
    password_memory_kib: Annotated[int, Field(ge=8)] = 65_536
    password_lanes: Annotated[int, Field(ge=1, le=64)] = 4
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_roles_claim: str = "roles"
    oidc_areas_claim: str | None = None
    oidc_name_claim: str = "sub"
    oidc_mapping: Path | None = None
    oidc_jwks: Path | None = None

    @field_validator("layers", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(p for p in value.split(os.pathsep) if p) if isinstance(value, str) else value

    @field_validator("cors", "hosts", "webhook_hosts", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("cors")
    @classmethod
    def _no_wildcard(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # With "*" any web page a regulator opens could read the whole map through the browser.
        if "*" in value:
            raise ValueError("ONEMAP_CORS lists origins one by one; '*' is not accepted")
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("ONEMAP_PUBLIC_URL is an address such as https://map.example.gov.cn")
        return value.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _safe_issuer(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if value and not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ValueError("ONEMAP_OIDC_ISSUER is an https address, as it stands in the tokens' iss")
        return value or None

    @model_validator(mode="after")
    def _issuer_is_whole(self) -> Settings:
        """A token that names no audience could have been given to any other service."""
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("ONEMAP_OIDC_ISSUER needs ONEMAP_OIDC_AUDIENCE, the name of this service there")
        if not self.oidc_issuer and (self.oidc_audience or self.oidc_mapping or self.oidc_jwks):
            raise ValueError("ONEMAP_OIDC_AUDIENCE, _MAPPING and _JWKS need ONEMAP_OIDC_ISSUER")
        if self.password_memory_kib < 8 * self.password_lanes:
            raise ValueError("ONEMAP_PASSWORD_MEMORY_KIB is at least 8 for each of ONEMAP_PASSWORD_LANES")
        return self

    @field_validator("layers")
    @classmethod
    def _folders_exist(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for folder in value:
            if not folder.is_dir():
                raise ValueError(f"ONEMAP_LAYERS names a folder that does not exist: {folder}")
        return value

    @field_validator("database_url")
    @classmethod
    def _psycopg_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme, sep, rest = value.partition("://")
        if not sep or scheme.split("+")[0] not in ("postgresql", "postgres"):
            raise ValueError("ONEMAP_DATABASE_URL starts with postgresql://")
        return f"postgresql+psycopg://{rest}"

    def load_map(self) -> MapDefinition:
        """Layers, district and rule packs as these settings choose them."""
        try:
            district = load_district(self.district)
            layers = load_layers(self.layers)
            packs = load_packs(self.layers, layers)
        except DefinitionError as error:
            raise SettingsError(
                f"{error.path}: {error.what}", remedy_en=error.remedy, remedy_zh=error.remedy
            ) from error
        unknown = [p for p in district.rule_packs if p not in packs]
        if unknown:
            raise SettingsError(
                f"District {district.id!r} turns on rule packs that are not there: {', '.join(unknown)}.",
                f"区域“{district.id}”启用了不存在的规则包：{'、'.join(unknown)}。",
                remedy_en=f"Known packs: {', '.join(sorted(packs))}.",
                remedy_zh=f"现有规则包：{'、'.join(sorted(packs))}。",
            )
        layers = _with_access(district, layers)
        return MapDefinition(district, layers, {p: packs[p] for p in district.rule_packs})

    def load_pack(self, name: str) -> RulePack:
        """A rule pack by its id, its folder or ``pack.toml``, or a file of `onemap rules save`.

        Raises SettingsError when there is none, or a wrong one.
        """
        try:
            return self._named_pack(name)
        except DefinitionError as error:
            raise SettingsError(f"{error.path}: {error.what}", remedy_en=error.remedy) from error
        except (OSError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise SettingsError(
                f"{name!r} is no rule pack: {first}.",
                f"“{name}”不是规则包：{first}。",
                remedy_en="Give a pack's id, its folder, or a file written by `onemap rules save`.",
                remedy_zh="请给出规则包编号、文件夹，或 onemap rules save 存下的文件。",
            ) from error

    def _named_pack(self, name: str) -> RulePack:
        path, layers = Path(name), load_layers(self.layers)
        if path.suffix == ".json":
            # Not as JSON text: there the code "0" would be read as the first day of 1970.
            return RulePack.model_validate(json.loads(path.read_bytes()))
        if path.name == "pack.toml":
            path = path.parent
        if (path / "pack.toml").is_file():
            return load_pack(path, layers)
        packs = load_packs(self.layers, layers)
        if name not in packs:
            raise ValueError(f"known are {', '.join(sorted(packs))}")
        return packs[name]


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with ``overrides`` on top; SettingsError says what is wrong."""
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "ONEMAP_" + str(first["loc"][0]).upper() if first["loc"] else "ONEMAP_*"
        raise SettingsError(f"{name}: {first['msg']}", f"设置 {name} 有误：{first['msg']}") from None


def _with_access(district: District, layers: Mapping[str, Layer]) -> Mapping[str, Layer]:
    """``layers`` with what the district says of access to them."""
    changed = dict(layers)
    for name, change in district.access.items():
        try:
            known("[access] is for the layer", name, layers)
            layer = layers[name].model_copy(update={"access": layers[name].access.changed(change)})
            check_access(layer)
        except Unfit as error:
            raise SettingsError(
                f"District {district.id!r}, [access.{name}]: {error.what}",
                f"区域“{district.id}”的 [access.{name}] 有误：{error.what}",
                remedy_en=error.remedy,
                remedy_zh=error.remedy,
            ) from None
        changed[name] = layer
    return MappingProxyType(changed)


@dataclass(frozen=True)
class MapDefinition:
    """What one installation shows: its district, all layers by id, and the rule packs that are on.

    ``seen_from`` is the whole of which this is what a role sees; None for the whole itself.
    """

    district: District
    layers: Mapping[str, Layer]
    packs: Mapping[str, RulePack]
    seen_from: MapDefinition | None = field(default=None, compare=False, repr=False)

    @property
    def whole(self) -> MapDefinition:
        """All layers with all fields, whoever asks: for words and rules, never for rows."""
        return self.seen_from or self

    def derived(self, kind: str) -> Layer | None:
        """The layer whose rows onemap itself writes for ``kind`` (such as "conflicts"), if defined."""
        return next((layer for layer in self.layers.values() if layer.derived == kind), None)

    def seen_by(self, role: Role) -> MapDefinition:
        """What ``role`` sees: without layers and fields that are not for it; itself where it sees all."""
        if self.seen_from is not None:
            return self.seen_from.seen_by(role)
        if role not in self._seen:
            pairs = {name: seen_by(layer, role) for name, layer in self.layers.items()}
            layers = {name: layer for name, layer in pairs.items() if layer is not None}
            same = len(layers) == len(self.layers) and all(x is self.layers[n] for n, x in layers.items())
            self._seen[role] = (
                self if same else replace(self, layers=MappingProxyType(layers), seen_from=self)
            )
        return self._seen[role]

    @cached_property
    def _seen(self) -> dict[Role, MapDefinition]:
        return {}

    @cached_property
    def bounds_lonlat(self) -> tuple[float, float, float, float]:
        """The district's extent as (west, south, east, north) in degrees."""
        west, south, east, north = self.district.extent
        return (west, south, east, north)

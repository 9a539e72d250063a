"""Archives: nothing comes out that is not read, nothing is believed that can be counted."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from gis.importing.reading import Limits, ReadOptions
from tests.gis.importing.reading.makers import frame, parts, reason, shapefile, table, write, zipped


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return parts(shapefile(tmp_path_factory.mktemp("shape") / "s"))


@pytest.mark.parametrize(
    "name",
    [
        "../../tmp/onemap_out.txt",
        "/etc/cron.d/onemap_out",
        "C:/onemap_out.txt",
        "a\\..\\..\\onemap_out",
        "d/../../x",
    ],
)
def test_a_path_that_leads_out(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    assert reason(zipped(tmp_path / "a.zip", {**members, name: b"x"})) == "unsafe_path"
    assert not Path("/tmp/onemap_out.txt").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_links_and_devices(tmp_path: Path, members: dict[str, bytes], kind: int) -> None:
    path = zipped(tmp_path / "a.zip", members)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("a.cst")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert reason(path) == "unsafe_path"


def test_a_ratio_that_no_data_has(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert reason(zipped(tmp_path / "a.zip", {**members, "a.sbn": bytes(30_000_000)})) == "decompression_bomb"


def test_too_much_in_all(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", members)
    assert reason(path, limits=Limits(unzipped_mb=0)) == "decompression_bomb"


def test_a_size_that_lies_is_counted(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", {**members, "a.shp": members["a.shp"] + bytes(40_000_000)})
    raw = path.read_bytes()
    true, false = (40_000_000 + len(members["a.shp"])).to_bytes(4, "little"), (2000).to_bytes(4, "little")
    assert raw.count(true) == 2
    path.write_bytes(raw.replace(true, false))
    assert reason(path) in ("decompression_bomb", "zip_unreadable")


def test_too_many_entries(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", {**members, **{f"d/{i}": b"" for i in range(50)}})
    assert reason(path, limits=Limits(zip_entries=40)) == "too_many_entries"


def test_passwords(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", members)
    raw = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = raw.find(sign)
        while start >= 0:
            raw[start + at] |= 1
            start = raw.find(sign, start + 4)
    path.write_bytes(raw)
    assert reason(path) == "zip_encrypted"


def test_broken(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", members)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 2 // 3])
    assert reason(path) == "zip_unreadable"
    workbook = tmp_path / "a.xlsx"
    workbook.write_bytes(raw[: len(raw) * 2 // 3])
    assert reason(workbook) == "not_xlsx"
    at = raw.index(b"a.dbf") + 40
    path.write_bytes(raw[:at] + bytes(8) + raw[at + 8 :])
    assert reason(path) == "zip_unreadable"


def test_an_archive_in_an_archive(tmp_path: Path, members: dict[str, bytes]) -> None:
    inner = zipped(tmp_path / "inner.zip", members).read_bytes()
    assert reason(zipped(tmp_path / "a.zip", {"inner.zip": inner})) == "no_shapefile"
    assert reason(zipped(tmp_path / "b.zip", {"readme.pdf": b"%PDF-1.7"})) == "no_shapefile"
    assert reason(zipped(tmp_path / "c.zip", {})) == "empty_file"


def test_what_systems_add_is_passed_over(tmp_path: Path, members: dict[str, bytes]) -> None:
    nested = {f"资料/{name}": content for name, content in members.items()}
    junk = {"__MACOSX/资料/._a.shp": b"junk", "资料/.DS_Store": b"junk", "资料/说明.txt": "说明".encode()}
    header, rows, _ = table(zipped(tmp_path / "a.zip", {**nested, **junk}))
    assert (header.format, header.member, rows.num_rows) == ("shapefile", "a", 12)


def test_names_in_gbk(tmp_path: Path, members: dict[str, bytes]) -> None:
    # zipfile flags such names as UTF-8, Windows does not and writes GBK, of which zipfile makes CP437.
    path = zipped(tmp_path / "a.zip", {name.replace("a", "QQQQ"): held for name, held in members.items()})
    path.write_bytes(path.read_bytes().replace(b"QQQQ", "排口".encode("gbk")))
    header, rows, _ = table(path)
    assert (header.member, rows.num_rows) == ("排口", 12)


def test_several_layers_and_their_names(tmp_path: Path, members: dict[str, bytes]) -> None:
    both = {**members, **{name.replace("a.", "第二层."): held for name, held in members.items()}}
    path = zipped(tmp_path / "a.zip", both)
    assert reason(path) == "several_layers"
    assert reason(path, ReadOptions(member="第三层")) == "member_missing"
    header, rows, _ = table(path, ReadOptions(member="第二层"))
    assert (header.member, header.members, rows.num_rows) == ("第二层", ("a", "第二层"), 12)


def test_parts_missing(tmp_path: Path, members: dict[str, bytes]) -> None:
    without = {name: held for name, held in members.items() if name != "a.dbf"}
    assert reason(zipped(tmp_path / "a.zip", without)) == "dbf_missing"
    assert reason(zipped(tmp_path / "b.zip", {"a.dbf": members["a.dbf"]})) == "shp_missing"
    vrt = {**members, "a.shp": b"<OGRVRTDataSource/>"}
    assert reason(zipped(tmp_path / "c.zip", vrt)) == "not_a_shapefile"


def test_other_kinds_inside(tmp_path: Path) -> None:
    package = write(frame(), tmp_path / "p.gpkg").read_bytes()
    header, rows, _ = table(zipped(tmp_path / "a.zip", {"数据.gpkg": package, "readme.txt": b"read, me"}))
    assert (header.format, rows.num_rows) == ("gpkg", 12)


def test_a_folder_of_a_geodatabase(tmp_path: Path) -> None:
    write(frame(), tmp_path / "x.gdb", driver="OpenFileGDB", layer="排口")
    held = {f"d/x.gdb/{p.name}": p.read_bytes() for p in (tmp_path / "x.gdb").iterdir()}
    for path in (zipped(tmp_path / "a.zip", held), tmp_path / "x.gdb"):
        header, rows, _ = table(path)
        assert (header.format, header.declared_crs, rows.num_rows) == ("filegdb", "EPSG:4490", 12)
        assert rows["name"].to_pylist() == frame()["name"].to_list()

"""Which file is read, and that the shipped one is right."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from mcp_app.config import defaults
from mcp_app.config.defaults import PACKAGED, default_text
from mcp_app.manifest import ManifestError, load_manifest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads(Path(__file__).with_name("server-card.v1.schema.json").read_text())
MINE = {"name": "com.example/mine", "version": "2", "description": "Mine."}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_the_shipped_one_holds(here: Path) -> None:
    assert load_manifest().card.name == "com.example/mcp-app"


def test_the_working_directorys_file_replaces_it(here: Path) -> None:
    (here / "mcp.json").write_text(json.dumps(MINE))
    assert load_manifest().card.name == "com.example/mine"


def test_a_file_that_is_named_replaces_both(here: Path) -> None:
    (here / "mcp.json").write_text("not read")
    (here / "other.json").write_text(json.dumps(MINE))
    assert load_manifest(Path("other.json")).card.name == "com.example/mine"


def test_a_wrong_file_is_not_replaced_by_the_default(here: Path) -> None:
    (here / "mcp.json").write_text("{")
    with pytest.raises(ManifestError, match=r"^mcp\.json: the file is not JSON"):
        load_manifest()


@pytest.mark.parametrize("name", ["gone.json", "folder"])
def test_a_file_that_cannot_be_read_is_one_line(here: Path, name: str) -> None:
    (here / "folder").mkdir()
    with pytest.raises(ManifestError, match=f"^{name}: cannot be read: ") as caught:
        load_manifest(Path(name))
    assert len(str(caught.value).splitlines()) == 1


def test_a_link_that_leads_nowhere_is_an_error(here: Path) -> None:
    (here / "mcp.json").symlink_to("gone.json")
    with pytest.raises(ManifestError, match=r"^mcp\.json: cannot be read"):
        load_manifest()


def test_an_endless_file_is_not_read_to_its_end(here: Path) -> None:
    with pytest.raises(ManifestError, match="expected at most 262144 bytes"):
        load_manifest(Path("/dev/zero"))


def test_the_shipped_file_is_itself_a_server_card() -> None:
    """So that an editor that follows `$schema` finds nothing to underline."""
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(default_text("mcp.json")))


def test_the_shipped_file_has_the_packages_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert json.loads(default_text("mcp.json"))["version"] == project["version"]


def test_the_shipped_file_names_the_tutorials_path() -> None:
    meta = json.loads(default_text("mcp.json"))["_meta"]
    assert meta == {"com.example.mcp-app/streaming": {"events": "/api/v1/mcp/sse"}}


def test_the_wheel_carries_the_shipped_file_where_the_package_looks_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried["mcp.json"] == f"mcp_app/{PACKAGED}/mcp.json"
    for source in carried:
        assert (ROOT / source).is_file(), source


def test_the_packaged_file_comes_before_one_that_happens_to_lie_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an installed package is site-packages, where a file of any name may be anybody's."""
    (tmp_path / PACKAGED).mkdir()
    (tmp_path / PACKAGED / "mcp.json").write_text("packaged")
    monkeypatch.setattr(defaults, "files", lambda _: tmp_path)
    assert default_text("mcp.json") == "packaged"


def test_a_damaged_installation_is_not_an_empty_default() -> None:
    with pytest.raises(FileNotFoundError):
        default_text("no-such-default.json")

"""An archive with one flipped byte, wherever it is, is refused; so is one that was put together by another hand."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from platform_core.archives.reading import open_archive
from platform_core.registry.problems import PluginErrors
from platform_core.sealed.format import MANIFEST, SEAL, SEAL_BYTES, hash_before_seal
from tests.core.archives.conftest import Ground
from tests.core.archives.ground import ADMINS_ROLE, left_of


def quiet(step: str, done: int, total: int) -> None:
    """Report no progress."""


def refusal(file: Path) -> str:
    with pytest.raises(PluginErrors) as raised:
        open_archive(file, quiet)
    (problem,) = raised.value.problems
    assert problem.place == str(file)
    return problem.code


def seal(file: Path) -> None:
    """Let the seal at the end of ``file`` be that of what stands before."""
    with file.open("r+b") as stream:
        digest = hash_before_seal(stream)
        stream.seek(-SEAL_BYTES, 2)
        stream.write(SEAL + digest.encode())


def places(archive: Path) -> dict[str, int]:
    """Return a byte of every kind of place: headers, data, manifest, directory, its end, the seal."""
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as found:
        start = found.start_dir
        members = {info.filename: info for info in found.infolist()}
    data = members["rows/education_student.copy"].header_offset
    manifest = members[MANIFEST].header_offset
    end = content.rindex(b"PK\x05\x06")
    chosen = {
        "first byte": 0,
        "time in a local header": data + 10,
        "name in a local header": data + 32,
        "data": data + 200,
        "checksum in a local header": data + 14,
        "manifest": manifest + 150,
        "central directory": start + 8,
        "attributes in the directory": start + 38,
        "end of directory": end + 10,
        "length of the comment": end + 20,
        "seal's name": len(content) - SEAL_BYTES,
        "last byte": len(content) - 1,
    }
    step = len(content) // 40
    return chosen | {f"byte {n * step}": n * step for n in range(40)}


def test_one_flipped_byte_is_refused_wherever_it_is(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "flipped.zip"
    content = ground.archive.read_bytes()
    with open_archive(ground.archive, quiet) as archive:
        assert archive.manifest.slug == "education"
    for name, place in places(ground.archive).items():
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        file.write_bytes(flipped)

        assert refusal(file) == "archive_damaged", name


@pytest.mark.parametrize("length", [-1, -4096, 10, 0])
def test_a_cut_archive_is_refused(length: int, ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "cut.zip"
    file.write_bytes(ground.archive.read_bytes()[:length])

    assert refusal(file) == "archive_damaged"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "no_archive"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Lindenhof", b"Lindenhoh"),
        (b'"format": 1', b'"format": 2'),
        (b"files/logos/north.svg", b"files/../../north.svg"),
        (b"files/logos/north.svg", b"/iles/logos/north.svg"),
        (b'"mode": null', b'"moda": null'),
    ],
)
def test_a_seal_on_other_contents_does_not_help(
    old: bytes, new: bytes, ground: Ground, tmp_path: Path
) -> None:
    file = tmp_path / "resealed.zip"
    changed = 0
    with zipfile.ZipFile(ground.archive) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            changed += content.count(old)
            target.writestr(name.replace(old.decode(), new.decode()), content.replace(old, new))
        target.comment = SEAL.ljust(SEAL_BYTES, b"0")
    assert changed
    seal(file)

    assert refusal(file) == "archive_damaged"


def test_a_damaged_archive_writes_nothing(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "damaged.zip"
    shutil.copy(ground.archive, file)
    with file.open("r+b") as stream:
        stream.seek(5000)
        byte = stream.read(1)
        stream.seek(5000)
        stream.write(bytes([byte[0] ^ 1]))
    with ground.without_education(tmp_path / "site") as site:
        answer = site.call("plugin", "restore", str(file), "--json")

        assert answer.code == 1
        assert [one["code"] for one in answer.problems] == ["archive_damaged"]
        assert left_of(site.database_url) == []
        assert not (site.folder / "var" / "plugins").exists()


def forged(source: Path, target: Path, changes: Mapping[str, Callable[[Any], Any]]) -> Path:
    """Write a copy of the archive with other JSON members, sealed and with the right checksums."""
    with zipfile.ZipFile(source) as found:
        members = {name: found.read(name) for name in found.namelist()}
    for name, change in changes.items():
        if name != MANIFEST:
            members[name] = json.dumps(change(json.loads(members[name]))).encode()
    manifest = json.loads(members.pop(MANIFEST))
    for name, content in members.items():
        wanted = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest["members"].setdefault(name, {"rows": None}).update(wanted)
    manifest = changes.get(MANIFEST, lambda same: same)(manifest)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(MANIFEST, json.dumps(manifest))
        archive.comment = SEAL.ljust(SEAL_BYTES, b"0")
    seal(target)
    return target


def altered(**values: Any) -> Callable[[Any], Any]:
    return lambda document: {**document, **values}


def file_entry(*, name: str = "", **values: Any) -> Callable[[Any], Any]:
    def change(manifest: Any) -> Any:
        members = dict(manifest["members"])
        first = next(one for one in members if one.startswith("files/"))
        found = {**members.pop(first), **values}
        return {**manifest, "members": {**members, name or first: found}}

    return change


MANIFESTS: dict[str, Callable[[Any], Any]] = {
    "another kind": lambda _: "manifest",
    "a list": lambda _: [],
    "too deep": lambda _: json.loads("[" * 900 + "]" * 900),
    "numbers of another's table": altered(
        sequences=[
            {"table": "django_migrations", "column": "id", "last_value": 1, "is_called": False}
        ]
    ),
    "a file that runs as its owner": file_entry(mode=0o4755),
    "a file without a name": file_entry(name="files/"),
    "a file with a name that is none": file_entry(name="files/a\0b"),
    "a file in two spellings": file_entry(name="files/logos//north.svg"),
    "a file that is not there": file_entry(name="files/other"),
    "a table that is not there": lambda m: {
        **m,
        "tables": [{**m["tables"][0], "member": "rows/other"}],
    },
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_forged_manifest_is_refused(case: str, ground: Ground, tmp_path: Path) -> None:
    file = forged(ground.archive, tmp_path / "forged.zip", {MANIFEST: MANIFESTS[case]})

    assert refusal(file) == "archive_damaged"


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("ledger.json", ["x"]),
        ("ledger.json", {"first_seen_at": "yesterday"}),
        ("ledger.json", {"first_seen_at": 5}),
        ("settings.json", "x"),
        ("grants.json", [1]),
    ],
    ids=str,
)
def test_a_forged_document_is_refused(
    member: str, content: Any, ground: Ground, tmp_path: Path
) -> None:
    file = forged(ground.archive, tmp_path / "forged.zip", {member: lambda _: content})

    assert refusal(file) == "archive_damaged"


def test_a_manifest_that_unpacks_to_very_much_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b" " * (65 << 20))
        archive.comment = SEAL.ljust(SEAL_BYTES, b"0")
    seal(file)

    assert refusal(file) == "archive_damaged"


def _owner_for(grants: Any) -> Any:
    first = grants["assignments"][0]
    fields = {**first["fields"], "role": str(OWNER), "scope": "deployment", "unit": None}
    forged_row = {**first, "pk": str(uuid.uuid4()), "fields": fields}
    return {**grants, "assignments": [*grants["assignments"], forged_row]}


def _in_first_role(**values: Any) -> Callable[[Any], Any]:
    def change(grants: Any) -> Any:
        first, *others = grants["roles"]
        return {**grants, "roles": [{**first, "fields": {**first["fields"], **values}}, *others]}

    return change


FORGED_GRANTS: dict[str, Callable[[Any], Any]] = {
    "the role that holds everything, assigned": _owner_for,
    "a role that holds everything": _in_first_role(holds_all=True),
    "a role of another plugin": _in_first_role(provided_by="identity"),
    "a role of another name": _in_first_role(name="identity.friend"),
    "permissions of another plugin": lambda g: {
        **g,
        "permissions": [{"role": str(ADMINS_ROLE), "names": ["identity.change_role"]}],
    },
    "rows of another table": lambda g: {
        **g,
        "roles": [{"model": "identity.user", "pk": str(uuid.uuid4()), "fields": {}}],
    },
    "inheritance between others": lambda g: {
        **g,
        "inheritances": [
            {
                "model": "identity.roleinheritance",
                "pk": 999,
                "fields": {"role": str(ADMINS_ROLE), "parent": str(OWNER)},
            }
        ],
    },
    "everything inherited": lambda g: {
        **g,
        "inheritances": [
            {
                "model": "identity.roleinheritance",
                "pk": 999,
                "fields": {"role": g["roles"][0]["pk"], "parent": str(OWNER)},
            }
        ],
    },
    "a field that there is not": _in_first_role(created_at="never"),
    "another form": lambda g: {"roles": [{}]},
}
OWNER = uuid.UUID(int=99)


def test_an_archive_brings_no_grants_but_its_plugins(ground: Ground, tmp_path: Path) -> None:
    with ground.without_education(tmp_path / "site") as site:
        with psycopg.connect(site.database_url) as connection:
            connection.execute(
                "UPDATE identity_role SET id = %s WHERE name = 'identity.owner'", [OWNER]
            )
        for case, change in FORGED_GRANTS.items():
            file = forged(ground.archive, tmp_path / "forged.zip", {"grants.json": change})

            answer = site.call("plugin", "restore", str(file), "--json")

            assert answer.code == 1, (case, answer.out)
            assert [one["code"] for one in answer.problems] == ["foreign_grants"], case
            assert left_of(site.database_url) == [], case

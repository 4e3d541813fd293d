import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.vectors.engine.copies import mirror
from muniment.vectors.engine.copies.mirror import Mirror

NAMES = st.sampled_from(["a", "b", "within/a", "within/b", "within/deep/a"])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["write", "map", "append", "cut", "replace", "remove"]), NAMES, st.binary(max_size=20)
    ),
    max_size=12,
)
HOLE = 300_000


def change(folder: Path, how: str, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or how == "replace":
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.truncate(HOLE)
            file.seek(HOLE // 2)
            file.write(data)
        fresh.rename(path)
        return
    match how:
        case "append":
            with path.open("ab") as file:
                file.write(data)
        case "cut":
            os.truncate(path, len(data))
        case "remove":
            path.unlink()
        case _ if path.stat().st_size > len(data):
            with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
                if how == "map":
                    mapped[: len(data)] = data
                else:
                    file.seek(path.stat().st_size - len(data))
                    file.write(data)


def held(folder: Path) -> dict[str, bytes | None]:
    found = {path: str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for path, name in found.items()}


@pytest.fixture(scope="module", autouse=True, params=["what times tell", "contents alone"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """By the times of files where the file system notes enough, and where it does not."""
    notes = mirror._notes_mapped_writes(tmp_path_factory.mktemp("probed"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mirror, "_CLOCK_NANOSECONDS", 20_000_000)
        patched.setattr(mirror, "_notes_mapped_writes", lambda _: notes and request.param == "what times tell")
        yield


@given(before=CHANGES, between=CHANGES, later=CHANGES)
def test_the_second_pass_brings_all_that_changed_since_the_first(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str, bytes]],
    between: list[tuple[str, str, bytes]],
    later: list[tuple[str, str, bytes]],
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mirror, "_BLOCK_BYTES", 70_000)
        folder = tmp_path_factory.mktemp("mirror")
        source = folder / "source"
        source.mkdir()
        made = Mirror(source, folder / "copy")
        for changes, copied in ((before, made.take), (between, made.renew), (later, made.renew)):
            for one in changes:
                change(source, *one)
            copied()
        assert held(folder / "copy") == held(source)


def test_a_copy_is_no_larger_on_the_disk(tmp_path: Path) -> None:
    change(tmp_path / "source", "write", "a", b"x")
    Mirror(tmp_path / "source", tmp_path / "copy").take()
    assert (tmp_path / "copy" / "a").stat().st_size == HOLE
    assert (tmp_path / "copy" / "a").stat().st_blocks == (tmp_path / "source" / "a").stat().st_blocks


def test_what_is_renamed_while_it_is_copied_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    for name in "ac":
        change(source, "write", name, name.encode())
    made = Mirror(source, tmp_path / "copy")
    made.take()
    change(source, "map", "a", b"x")
    whole = mirror._filled

    def filled(file: int, size: int) -> Iterator[tuple[int, int]]:
        if (source / "c").exists():
            (source / "c").rename(source / "b")
        return whole(file, size)

    monkeypatch.setattr(mirror, "_filled", filled)
    made.renew()
    assert set(held(source)) == {"a", "b"}
    assert held(tmp_path / "copy") == held(source)


def test_a_mirror_that_was_stopped_copies_no_more(tmp_path: Path) -> None:
    change(tmp_path / "source", "write", "a", b"x")
    made = Mirror(tmp_path / "source", tmp_path / "copy")
    made.stop()
    made.take()
    made.renew()
    assert held(tmp_path / "copy") == {}

"""Which files `add` takes, and what becomes of a folder that changes."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from muniment.cli.files import PassedOver, Source, sources
from muniment.cli.terminal import Steps
from muniment.cli.uploading import Uploading
from muniment.kernel.problems import Throttled


def keys(*paths: Path, **how: bool) -> list[str]:
    return [found.key for found in sources(paths, **how) if isinstance(found, Source)]


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"Text of {name}.")


def test_ignore_files_leave_out_what_they_name(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "a.log", "build/x.md", "deep/keep.log", "deep/more/b.tmp", "deep/secret.md")
    (tmp_path / ".gitignore").write_text("*.log\nbuild/\n# a remark\n*.tmp\n")
    (tmp_path / "deep" / ".gitignore").write_text("!keep.log\n")
    (tmp_path / "deep" / ".munimentignore").write_text("secret.md\n")
    assert keys(tmp_path) == ["a.md", "deep/keep.log"]
    assert keys(tmp_path, ignoring=False) == [
        "a.log", "a.md", "build/x.md", "deep/keep.log", "deep/more/b.tmp", "deep/secret.md",
    ]  # fmt: skip
    assert keys(tmp_path / "a.log") == ["a.log"]


def test_the_rules_of_a_repository_hold_in_its_folders(tmp_path: Path) -> None:
    write(tmp_path, "repo/docs/a.md", "repo/docs/out/b.md", "plain/docs/out/b.md")
    (tmp_path / "repo" / ".git").mkdir()
    for folder in ("repo", "plain"):
        (tmp_path / folder / ".gitignore").write_text("docs/out/\n")
    assert keys(tmp_path / "repo" / "docs") == ["a.md"]
    assert keys(tmp_path / "plain" / "docs") == ["out/b.md"]


def test_a_pattern_is_matched_where_no_file_has_its_name(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md", "docs/in/b.md", "docs/c.txt", "[odd].md")
    assert keys(tmp_path / "docs" / "**" / "*.md") == ["a.md", "in/b.md"]
    assert keys(tmp_path / "[odd].md") == ["[odd].md"]
    (nothing,) = sources([tmp_path / "*.pdf"])
    assert isinstance(nothing, PassedOver)
    assert nothing.failed


def test_the_input_is_a_document(muniment) -> None:
    text = "# From a pipe\n\nThe kiln cools for nine hours."
    named = ("--key", "ovens/kiln.md", "-c", "piped", "--tag", "clay", "--metadata", "team=ovens")
    told = muniment("add", "-", *named, given=text)
    assert told.stdout == "piped: 1 added\n"
    shown = json.loads(muniment("documents", "show", "piped/ovens/kiln.md", "--json").stdout)
    assert (shown["title"], shown["tags"], shown["metadata"]) == ("From a pipe", ["clay"], {"team": "ovens"})


def test_what_is_on_its_way_from_an_earlier_add_is_waited_for(muniment, tmp_path: Path) -> None:
    write(tmp_path, *(f"{n}.md" for n in range(40)))
    first = muniment("add", str(tmp_path), "-c", "slow", "--no-wait")
    assert first.stdout == "slow: 40 accepted\n"
    again = json.loads(muniment("add", str(tmp_path), "-c", "slow", "--json").stdout)["documents"]
    assert {document["outcome"] for document in again} <= {"added", "unchanged"}
    assert all((document["run"] is None) == (document["outcome"] == "unchanged") for document in again)
    there = json.loads(muniment("documents", "list", "slow", "--json").stdout)["items"]
    assert [document["versions"][0]["state"] for document in there] == ["current"] * 40
    assert muniment("add", str(tmp_path), "-c", "slow").stdout == "slow: 40 unchanged\n"


def test_what_is_gone_from_the_folder_is_deleted_when_asked(muniment, tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md", "c.md")
    muniment("add", str(tmp_path), "-c", "mirror", "--prefix", "docs/")
    write(tmp_path, "other/elsewhere.md")
    muniment("add", str(tmp_path / "other" / "elsewhere.md"), "-c", "mirror")
    (tmp_path / "b.md").unlink()
    (tmp_path / "c.md").write_text("Changed.")
    told = muniment("add", str(tmp_path), "-c", "mirror", "--prefix", "docs/", "--delete")
    assert told.stdout == "mirror: 1 added, 1 updated, 1 unchanged, 1 deleted\n"
    there = json.loads(muniment("documents", "list", "mirror", "--json").stdout)["items"]
    assert [d["key"] for d in there] == ["docs/a.md", "docs/c.md", "docs/other/elsewhere.md", "elsewhere.md"]
    for file in (*tmp_path.glob("*.md"), tmp_path / "other" / "elsewhere.md"):
        file.unlink()
    emptied = muniment("add", str(tmp_path), "-c", "mirror", "--prefix", "docs/", "--delete")
    assert emptied.returncode == 1  # a folder that is not mounted is empty, too
    assert len(json.loads(muniment("documents", "list", "mirror", "--json").stdout)["items"]) == 4


def test_nothing_is_deleted_where_not_everything_could_be_read(muniment, tmp_path: Path) -> None:
    write(tmp_path, "here/a.md", "gone/b.md")
    folders = (str(tmp_path / "here"), str(tmp_path / "gone"))
    muniment("add", *folders, "-c", "partly")
    (tmp_path / "gone" / "b.md").unlink()
    (tmp_path / "gone").rmdir()
    told = muniment("add", *folders, "-c", "partly", "--delete")
    assert (told.returncode, told.stdout) == (1, "partly: 1 unchanged, 1 failed\n")
    assert "nothing is deleted" in told.stderr
    assert len(json.loads(muniment("documents", "list", "partly", "--json").stdout)["items"]) == 2
    told = muniment("add", str(tmp_path / "here" / "a.md"), "-c", "partly", "--delete")
    assert told.returncode == 2
    assert "folder" in told.stderr


def test_a_watched_folder_is_added_as_it_changes(
    muniment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.md")

    def changes(*_paths, **_how):
        write(tmp_path, "b.md")
        yield {"changed"}
        (tmp_path / "a.md").unlink()
        yield {"changed"}

    monkeypatch.setattr("watchfiles.watch", changes)
    told = muniment("add", str(tmp_path), "-c", "watched", "--watch", "--delete")
    assert told.stdout.splitlines() == [
        "watched: 1 added",
        "watched: 1 added",
        "watched: 1 deleted",
    ]


def test_a_file_that_changes_while_it_is_read_is_said_and_the_others_are_taken(muniment, tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md", "c.md")
    growing = tmp_path / "b.md"
    ended = threading.Event()

    def grow() -> None:
        while not ended.is_set():
            with growing.open("a") as file:
                file.write("more ")
            time.sleep(0.001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        told = muniment("add", str(tmp_path), "-c", "growing")
    finally:
        ended.set()
        writer.join()
    assert told.returncode == 1
    assert told.stdout == "growing: 2 added, 1 failed\n"
    assert "changed while it was read" in told.stderr


class Full:
    """A server that has no room at first, and loses a file on the way."""

    def __init__(self, gone: str | None = None) -> None:
        self.calls, self._gone = 0, gone

    def upload(self, _collection, files):
        self.calls += 1
        if self.calls == 1:
            raise Throttled("full", retry_after_seconds=0.01)
        if any(file.path.name == self._gone for file in files):
            raise FileNotFoundError(2, "No such file or directory")
        document = {"id": "doc", "version": 1, "duplicate": False, "run": "run", "problem": None}
        return {"run": "run", "documents": [{**document, "key": file.options["key"]} for file in files]}


def test_a_full_server_is_waited_for_and_a_vanished_file_fails_alone(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md")
    files = [found for found in sources([tmp_path]) if isinstance(found, Source)]
    server = Full(gone="b.md")
    os.unlink(tmp_path / "b.md")  # noqa: PTH108 - as another process would
    answers = list(Uploading(server, "c", {}, Steps(None)).upload(files))
    documents = [document for answer in answers for document in answer["documents"]]
    assert [bool(document["problem"]) for document in documents] == [False, True]
    assert server.calls == 4


class Narrow(Full):
    """A server that lets one document wait."""

    def upload(self, _collection, files):
        if len(files) > 1:
            raise Throttled("full", limit_documents=1, retry_after_seconds=0.01)
        self.calls = 1
        return super().upload(_collection, files)


def test_more_at_once_than_a_server_ever_takes_is_sent_one_by_one(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md")
    files = [found for found in sources([tmp_path]) if isinstance(found, Source)]
    answers = list(Uploading(Narrow(), "c", {}, Steps(None)).upload(files))
    assert [len(answer["documents"]) for answer in answers] == [1, 1]

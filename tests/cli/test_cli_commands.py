"""Commands on a running house: what is printed where, and with which exit code."""

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with everything that lies about in folders."""
    folder = tmp_path / "notes"
    (folder / ".git").mkdir(parents=True)
    (folder / "inner").mkdir()
    (folder / ".git" / "config").write_text("hidden")
    (folder / "a lease 🚀.md").write_text("# Leases\n\nThe vault renews every lease each ten seconds.\n")
    (folder / "[bold]marked.md").write_text("The \x1b]0;owned\x07 kiln [red]glows[/red] at dusk.\n")
    (folder / "broken.bin").write_bytes(b"\x00\x01\xff\xfe")
    (folder / "empty.md").touch()
    (folder / "inner" / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    (folder / "outside.txt").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    return folder


def test_a_folder_is_added_file_by_file_and_again_is_no_new_work(muniment, notes):
    first = muniment("add", str(notes), "-c", "folder")
    assert first.returncode == 1
    assert first.stdout == "folder: 2 added, 4 skipped, 2 failed\n"
    assert "failed" in first.stderr
    assert "empty.md is empty" in first.stderr
    assert "symbolic link" in first.stderr
    assert "making searchable …" in first.stderr
    again = muniment("add", str(notes), "-c", "folder", "--json")
    told = json.loads(again.stdout)["documents"]
    assert again.stderr == ""
    assert {d["key"]: d["outcome"] for d in told if d["outcome"] == "unchanged"} == {
        "a lease 🚀.md": "unchanged",
        "[bold]marked.md": "unchanged",
    }
    assert {d["problem"]["type"] for d in told if d["outcome"] == "failed"} == {
        "urn:muniment:problem:file-empty",
        "urn:muniment:problem:not-text",
    }


def test_what_others_wrote_is_shown_as_it_is_and_moves_no_cursor(muniment, notes):
    muniment("add", str(notes / "[bold]marked.md"), "-c", "shown")
    found = muniment("search", "kiln at dusk", "-c", "shown")
    assert found.returncode == 0
    assert "[bold]marked.md" in found.stdout
    assert "[red]glows[/red]" in found.stdout
    assert "\x1b" not in found.stdout
    assert "\x07" not in found.stdout


def test_an_answer_has_its_footnotes_and_json_is_the_apis_own(muniment, notes):
    muniment("add", str(notes / "a lease 🚀.md"), "-c", "asked")
    asked = muniment("ask", "How often are leases renewed?", "-c", "asked")
    assert "ten seconds. [1]" in asked.stdout
    assert "“The vault renews every lease each ten seconds.”" in asked.stdout
    answer = json.loads(muniment("ask", "How often are leases renewed?", "-c", "asked", "--json").stdout)
    assert answer["footnotes"][0]["quote"] in answer["answer"]


def test_a_changed_file_is_told_as_updated(muniment, tmp_path):
    file = tmp_path / "plan.md"
    file.write_text("The plan says May.")
    assert muniment("add", str(file), "-c", "plans").stdout == "plans: 1 added\n"
    file.write_text("The plan says June.")
    assert muniment("add", str(file), "-c", "plans").stdout == "plans: 1 updated\n"
    assert "June" in muniment("search", "plan", "-c", "plans").stdout


def test_what_is_shown_of_a_passage_is_what_was_looked_for(muniment, tmp_path):
    file = tmp_path / "care.md"
    file.write_text("The truck has a roof. " * 20 + "The kettle whistles at noon. " + "It has wheels. " * 5)
    muniment("add", str(file), "-c", "excerpts")
    assert "…The kettle whistles at noon." in muniment("search", "whistling kettle", "-c", "excerpts").stdout
    slipped = muniment("search", "whistling kettel", "-c", "excerpts")
    assert "this is for: whistling kettle" in slipped.stderr
    assert "…The kettle whistles at noon." in slipped.stdout
    vain = muniment("search", 'which kettle "sings at noon"', "-c", "excerpts")
    assert "nothing says just what is in quotes" in vain.stderr
    assert "The kettle whistles at noon." in vain.stdout
    assert "nothing found that says what is in quotes" in muniment("search", '"sings at noon"').stderr


def test_where_there_is_nothing_yet_the_next_step_is_told(muniment):
    assert muniment("collections", "create", "vacant").returncode == 0
    for verb in ("search", "ask"):
        said = muniment(verb, "where is the kettle?", "-c", "vacant")
        assert "`muniment add FILE`" in said.stderr
    assert "is blank; say in a word" in muniment("search", "").stderr


def test_why_takes_what_search_takes(muniment, tmp_path):
    file = tmp_path / "ledger.md"
    file.write_text("The ledger holds every shipment.")
    muniment("add", str(file), "-c", "ledgers")
    query = ("ledger", "ledgers/ledger.md")
    assert "number 1" in muniment("why", *query, "-c", "ledgers", "--set", "dense=0").stdout
    assert "number 1" in muniment("why", "ledger", "ledger.md").stdout
    muniment("add", str(file), "-c", "more-ledgers")
    ambiguous = muniment("why", "ledger", "ledger.md")
    assert "say ledgers/ledger.md or more-ledgers/ledger.md" in ambiguous.stderr
    assert "number 1" in muniment("why", "ledger", "ledger.md", "-c", "ledgers").stdout
    assert "more-ledgers" in muniment("why", *query, "-c", "more-ledgers").stdout
    assert "as COLLECTION/KEY" in muniment("why", "ledger", "Übersicht (2).md").stderr
    assert "no document Übersicht (2).md" in muniment("why", "ledger", "Übersicht (2).md").stderr
    assert "no version that was current" in muniment("why", *query, "--as-of", "2001-01-01").stdout
    assert "filter on type" in muniment("why", *query, "--type", "PRD").stdout
    refused = muniment("why", *query, "-c", "ledgers", "--standby")
    assert (refused.returncode, "one index only" in refused.stderr) == (1, True)
    assert muniment("search", "ledger", "-c", "ledgers", "--standby").returncode == 1
    assert muniment("search", "ledger", "-c", "ledgers", "--set", "colour=1").returncode == 2
    assert "ledger.md" in muniment("search", "ledger", "-c", "ledgers", "--set", "dense=0").stdout


def test_status_and_doctor_of_a_house_that_is_well(muniment, house):
    status = muniment("status")
    assert status.stdout.startswith(f"{house.address}: ok\n")
    assert json.loads(muniment("status", "--json").stdout)["rooms"]["vectors"]["status"] == "ok"
    findings = json.loads(muniment("doctor", "--json").stdout)
    assert f"{house.address} is ok" in [finding["found"] for finding in findings]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["search", "x", "-c", "nowhere"], "collection-missing"),
        (["search", ""], "invalid"),
        (["search", "  "], "invalid"),
        (["ask", " \t "], "invalid"),
        (["add", "/nowhere"], "nothing-to-add"),
        (["add", __file__, "-c", "Not A Name"], "invalid"),
        (["search", "x", "--server", "http://127.0.0.1:1"], "unavailable"),
        (["search", "x", "--server", "nonsense"], "invalid"),
        (["users", "password", "nobody"], "invalid"),
    ],
)
def test_a_failure_is_one_line_or_with_json_a_problem(muniment, arguments, kind):
    said = muniment(*arguments)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("muniment: ")
    assert said.stderr.count("\n") == 1
    told = muniment(*arguments, "--json")
    assert (told.returncode, told.stderr) == (1, "")
    assert json.loads(told.stdout)["type"] == f"urn:muniment:problem:{kind}"


def test_a_wrong_key_says_where_keys_come_from(muniment):
    refused = muniment("search", "x", MUNIMENT_API_KEY="mk_wrong")
    assert refused.returncode == 1
    assert "MUNIMENT_API_KEY" in refused.stderr


def test_a_second_server_on_the_folder_is_refused(muniment, house):
    refused = muniment("up", "--port", "0")
    assert refused.returncode == 1
    assert house.address in refused.stderr
    assert "muniment stop" in refused.stderr

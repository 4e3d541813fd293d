"""`muniment models`: bringing one in, showing it, removing it, and what must not go."""

import json
from pathlib import Path

from cli.conftest import Command
from kit.tiny_onnx import folder_of, pooling
from muniment.models.contract import BUNDLED_EMBEDDING


def test_a_model_comes_in_from_a_folder_and_goes(command: Command, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "Tiny Encoder", **pooling("cls_token"))
    where = {"MUNIMENT_MODELS__CACHE": str(tmp_path / "cache"), "MUNIMENT_DATA": str(tmp_path / "data")}
    added = command("models", "add", str(folder), "--query-prefix", "the ", "--json", **where)
    assert added.returncode == 0, added.stderr
    info = json.loads(added.stdout)
    assert (info["name"], info["state"], info["pooling"], info["query_prefix"]) == (
        "tiny-encoder", "ready", "first", "the ",
    )  # fmt: skip
    (folder / "onnx" / "model.onnx").write_bytes(b"")
    broken = command("models", "add", str(folder), **where)
    assert broken.returncode == 1
    assert "did its download break off?" in broken.stderr
    judge = {"MUNIMENT_RETRIEVAL__RERANKER": "cross-encoder", "MUNIMENT_RETRIEVAL__RERANK_MODEL": "tiny-encoder"}
    judging = command("models", "remove", "tiny-encoder", **where, **judge)
    assert judging.returncode == 1
    assert "is the reranker of searches" in judging.stderr
    removed = command("models", "remove", "tiny-encoder", **where)
    assert (removed.returncode, removed.stdout) == (0, "tiny-encoder is removed\n")
    gone = command("models", "remove", "tiny-encoder", **where)
    assert gone.returncode == 1
    assert "no model is called 'tiny-encoder'" in gone.stderr


def test_a_model_that_an_index_needs_stays(muniment: Command, tmp_path: Path) -> None:
    muniment("collections", "create", "needs-a-model")
    kept = muniment("models", "remove", BUNDLED_EMBEDDING, MUNIMENT_MODELS__CACHE=str(tmp_path / "cache"))
    assert kept.returncode == 1
    assert "build and switch to one of another model first" in kept.stderr


def test_a_model_is_shown(muniment: Command) -> None:
    shown = muniment("models", "show", BUNDLED_EMBEDDING)
    assert shown.returncode == 0, shown.stderr
    assert "dimensions      384" in shown.stdout
    absent = muniment("models", "show", "nobody")
    assert absent.returncode == 1
    assert BUNDLED_EMBEDDING in absent.stderr

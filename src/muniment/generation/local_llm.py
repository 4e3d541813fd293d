"""A small language model in this process, by the extra `local-llm`."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from muniment.generation.contract import LlmDown
from muniment.generation.prompt import Message
from muniment.kernel.blobs import local_file
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.deadline import clear_deadline
from muniment.kernel.extras import late
from muniment.models.contract import LlmFiles, Models, Prepare


class LocalModel:
    """A GGUF model of the models room, run by llama.cpp; loaded on first need, one answer at a time."""

    def __init__(
        self, models: Models, name: str, *, threads: int, context_tokens: int, most_tokens: int, temperature: float
    ) -> None:
        self.name = name
        self._models, self._threads, self._context_tokens = models, threads, context_tokens
        self._options = {"max_tokens": most_tokens, "temperature": temperature, "stream": True}
        self._load: asyncio.Task[Any] | None = None
        self._turn, self._speaking = asyncio.Lock(), set[asyncio.Task[None]]()

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The model's text as it comes; leaving early stops the model.

        Raises NotAvailable when the extra is not installed, and LlmDown when llama.cpp refuses the request.
        """
        server = await self._loaded()
        loop, queue, left = asyncio.get_running_loop(), asyncio.Queue[str | None](), False
        refusals: list[str] = []

        def hear(event: Any) -> bool:
            # The library swallows what is raised here.
            if "error" in event:
                refusals.append(str(event["error"]))
            choices = event.get("choices")
            if choices and (text := choices[0].get("delta", {}).get("content")):
                loop.call_soon_threadsafe(queue.put_nowait, text)
            return left

        def speak() -> None:
            try:
                server.handle_chat_completions({"messages": list(messages), **self._options}, hear)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        async def in_turn() -> None:
            async with self._turn:
                if not left:
                    await asyncio.to_thread(speak)

        speaking = asyncio.create_task(in_turn())
        self._speaking.add(speaking)
        speaking.add_done_callback(self._speaking.discard)
        try:
            while (text := await queue.get()) is not None:
                yield text
            await speaking
        except (ValueError, RuntimeError) as refused:
            refusals.append(str(refused))
        finally:
            # It stops at its next word; who leaves does not wait for that.
            left = True
        if refusals:
            raise LlmDown(f"the local model refuses: {refusals[0]}", model=self.name)

    async def close(self) -> None:
        """Unload it, when it has stopped speaking."""
        if self._speaking:
            await asyncio.wait(self._speaking)
        if self._load is not None:
            self._load.cancel()
            await asyncio.wait({self._load})
            self._load = None

    async def _loaded(self) -> Any:
        if self._load is None or (self._load.done() and (self._load.cancelled() or self._load.exception())):
            self._load = asyncio.create_task(self._start(), name=f"load {self.name}")
        return await asyncio.shield(self._load)

    async def _start(self) -> Any:
        clear_deadline()
        library = late("xllamacpp", extra="local-llm")
        files: object = None
        with calling_as(Caller.system("generation")):
            async for event in self._models.prepare(Prepare(name=self.name)):
                files = event
        if not isinstance(files, LlmFiles):
            raise LlmDown(f"{self.name} is no language model", model=self.name)
        path = await local_file(files.weights.store, files.weights.key)
        return await asyncio.to_thread(self._serve, library, path, min(files.context_tokens, self._context_tokens))

    def _serve(self, library: Any, path: Path, context_tokens: int) -> Any:
        settings = library.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx, settings.n_parallel = context_tokens, 1
        for threads in (settings.cpuparams, settings.cpuparams_batch):
            # Threads that spin while they wait would take the machine from searches.
            threads.n_threads, threads.poll = self._threads, 0
        settings.verbosity, settings.warmup, settings.ui = -1, False, False
        # The library opens a port whether one wants it or not: on loopback, and with a key that nobody has.
        settings.port, settings.api_keys = 0, [secrets.token_urlsafe(32)]
        return library.Server(settings)

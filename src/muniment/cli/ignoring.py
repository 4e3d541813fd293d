"""Which paths are left out because a `.gitignore` or `.munimentignore` says so."""

from pathlib import Path

from pathspec import GitIgnoreSpec

NAMES = (".gitignore", ".munimentignore")


class Ignored:
    """The rules in force in a folder: its own, and those of the folders above it up to the repository's root."""

    def __init__(self, specs: tuple[tuple[Path, GitIgnoreSpec], ...] = ()) -> None:
        self._specs = specs

    @classmethod
    def above(cls, folder: Path) -> "Ignored":
        """The rules of the folders above `folder`, where these belong to one repository with it."""
        above = folder.resolve().parents
        root = next((place for place in above if (place / ".git").exists()), None)
        rules = cls()
        if root is not None and not (folder / ".git").exists():
            for place in [root, *reversed([p for p in above if root in p.parents])]:
                rules = rules.within(place)
        return rules

    def within(self, folder: Path) -> "Ignored":
        """With the rules that lie in `folder` itself; what cannot be read rules nothing."""
        lines: list[str] = []
        for name in NAMES:
            try:
                lines += (folder / name).read_text("utf-8", errors="replace").splitlines()
            except OSError:
                continue
        return Ignored((*self._specs, (folder.resolve(), GitIgnoreSpec.from_lines(lines)))) if lines else self

    def __contains__(self, path: Path) -> bool:
        """Whether the path is left out; the rules nearest to it have the last word."""
        place = path.parent.resolve() / path.name
        name = "/" if path.is_dir() and not path.is_symlink() else ""
        for folder, spec in reversed(self._specs):
            told = spec.check_file(place.relative_to(folder).as_posix() + name).include
            if told is not None:
                return told
        return False

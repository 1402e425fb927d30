"""Takes a Supabase project to Convex: the schema, the data, and the proof."""

from typing import TYPE_CHECKING

from supavex.version import __version__

if TYPE_CHECKING:
    from supavex.library import Project, init

__all__ = ["Project", "__version__", "init"]


def __getattr__(name: str) -> object:
    """Imports the library when it is asked for, so that the schema language alone starts fast.

    Raises UnsupportedSystem on Windows.
    """
    if name in ("Project", "init"):
        from supavex.errors import check_system

        check_system()
        from supavex import library

        return getattr(library, name)
    raise AttributeError(f"module 'supavex' has no attribute {name!r}")

"""Takes a Supabase project to Convex: the schema, the data, and the proof.

From the source to the target: ``postgres`` builds or reads the source's database. ``settings`` reads a project's
supavex.toml, and its schema.py in the language of ``schema``. ``mapping`` plans the table and the field for each table
and column. ``migrate`` copies the rows by this plan, imports them, and proves that they arrived.

Beside the data: ``rules`` translates policies and constraints to TypeScript, and ``usage`` finds the app's calls of
Supabase and suggests their replacement. ``convex`` holds Convex's own formats and rules. The target is a deployment of
``deployment`` on this machine, or one elsewhere that ``convex_cli`` reaches.

``cli`` has a module for each command, and :mod:`.library` a method for each.
"""

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

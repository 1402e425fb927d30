"""The state that a migration keeps in the project's folder, ``.supavex/migration``. :mod:`.folder` lists it."""

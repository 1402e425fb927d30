"""``python -m supavex`` is the ``supavex`` command."""

from supavex.cli.main import main

if __name__ == "__main__":
    main()

"""The command line: one module for each command, thin over a function of the library.

:mod:`.main` is the ``supavex`` command. :mod:`.options` and :mod:`.targets` have the options that commands share,
``reports`` the texts that they print.
"""

"""Migrates the rows and proves the result.

:mod:`.migration` is the place to begin. ``copy`` writes the rows of one snapshot to an archive, with the files of
``storage``, and the archive is imported. :mod:`.verifying` runs the ``proof``, which reads source and target again.
``changes`` finds the rows that were written since. ``golive`` does all of this with a deployment that only Convex's own
tools reach, and can go back. ``restore`` writes documents into PostgreSQL, and ``users`` exports the users.

``state`` is kept from one command to the next. ``target`` reads a deployment or an export. ``keys`` has sets of keys,
which several of these packages use.
"""

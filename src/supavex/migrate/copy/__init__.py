"""The copy: the rows of one snapshot into a snapshot archive.

:mod:`.run` takes the snapshot. :mod:`.tables` copies the tables, parents first, and :mod:`.parts` the pages of a table,
which ``encoding`` converts. :mod:`.archive` joins the parts. :mod:`.journal` lets an interrupted copy continue.
"""

"""The documents, indexes and transactions of a deployment, on one SQLite file.

:mod:`.store` is the file. :mod:`.database` is the view of Python code, with a schema and tables. :mod:`.engine` gives
snapshots and commits to functions that run at the same time, and :mod:`.transaction` is the view of one function.
"""

"""Converts the columns that the copy reads to lines of JSON, a whole column at a time.

:mod:`.query` reads the columns, :mod:`.encoder` joins them to lines, and :mod:`.slice_report` collects the rejected
rows.
"""

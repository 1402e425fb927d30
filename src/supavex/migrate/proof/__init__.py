"""The proof: reads source and target again, with other code than the copy's, and compares them.

:mod:`.run` proves a target, :mod:`.tables` one table. ``digests`` shows which tables are equal as a whole. In the
others, :mod:`.few_rows` or :mod:`.row_by_row` compares rows with their documents by :mod:`.comparison`.
"""

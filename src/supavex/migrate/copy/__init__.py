"""The copy: the rows of one snapshot into a snapshot archive."""

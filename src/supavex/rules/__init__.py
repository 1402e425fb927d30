"""Translates PostgreSQL's policies and constraints to TypeScript, and proves that both sides agree.

``parse`` reads SQL into the typed form of :mod:`.form`. :mod:`.policies` and :mod:`.constraints` collect a project's
rules in this form, ``typescript`` writes them, and :mod:`.writing` keeps the file. ``proof`` tries the same reads and
writes on both sides.
"""

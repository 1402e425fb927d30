"""The app's own functions: pushed modules, run in Deno on transactions of the deployment's file.

:mod:`.functions` runs functions of every kind: queries and mutations by :mod:`.running`, actions by :mod:`.actions`.
:mod:`.operations` lists what a function can request while it runs.
"""

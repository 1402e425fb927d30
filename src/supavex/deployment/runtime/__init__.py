"""Runs the app's JavaScript in separate processes of Deno, which reach nothing but this process.

:mod:`.linking` makes scripts of modules. :mod:`.evaluation` evaluates a push, and :mod:`.runner` runs its functions.
"""

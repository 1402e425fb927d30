"""How every test runs: Hypothesis repeats itself run after run, and never fails for being slow."""

from hypothesis import settings

# Runs pytest in pytest, for the tests of the plugin.
pytest_plugins = ["pytester"]

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=False)
#: ``pytest --hypothesis-profile explore`` looks at new examples each time.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("repeatable")

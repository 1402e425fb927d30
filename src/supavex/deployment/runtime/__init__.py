"""The processes that run the app's JavaScript."""

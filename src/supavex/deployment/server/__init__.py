"""``supavex serve``: a deployment behind Convex's own protocol, for the official CLI and clients.

:mod:`.app` has the routes over HTTP, :mod:`.sync` the WebSocket, and :mod:`.host` the state that all of them share.
"""

"""Convex's official clients in Node, in a browser and in Python, behind one interface."""

"""Tests whose judge is Convex's own npm package, or TypeScript's compiler."""

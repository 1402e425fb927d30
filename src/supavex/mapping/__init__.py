"""How PostgreSQL becomes Convex: names, conversions, references, coverage. The only room that knows both."""

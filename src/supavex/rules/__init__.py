"""PostgreSQL's policies and constraints as TypeScript, and the proof that both sides agree."""

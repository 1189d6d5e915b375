"""In-memory adapters of every driven port, for tests and for trying things out."""

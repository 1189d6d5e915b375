"""In-memory adapters of every driven port: for trying things out, and for tests."""

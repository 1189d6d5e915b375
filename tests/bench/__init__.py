"""Benchmarks: programs that print a table, never timed tests."""

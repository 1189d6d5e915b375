"""Adapters of the operating system: clock, random numbers, passwords, tokens."""

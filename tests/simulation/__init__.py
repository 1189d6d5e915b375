"""Deterministic simulation: many workers, all their misfortunes, and no time that passes."""

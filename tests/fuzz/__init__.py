"""Fuzzing: the whole OpenAPI document held against the application, as somebody of each role."""

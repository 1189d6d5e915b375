"""Fuzzing: the application checked against its whole OpenAPI document, in every role."""

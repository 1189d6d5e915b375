"""The version, as the package says it."""

from importlib.metadata import version

VERSION = version("catchment")

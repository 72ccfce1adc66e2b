"""The report's audit: the same print as that of the cells."""

from bayesmig.models.emigration.audit import audit

__all__ = ["audit"]

"""The report's audit: the same print as that of the cells."""

from bayesmig.models.emigration.audit import CHECKS, paper

__all__ = ["CHECKS", "paper"]

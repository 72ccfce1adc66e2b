"""The essay's audit: the same print as that of the coefficients."""

from bayesmig.models.transnationalism.audit import CHECKS, paper

__all__ = ["CHECKS", "paper"]

"""Fits of a list in files as they are made, so that a list goes on where it was ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmig import attrs, outputs
from bayesmig.jobs import Plain
from bayesmig.ready import Compiled, fingerprint
from bayesmig.saving import installed, open_fit, save_fit

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class KeptFits:
    """Where each fit of a list is saved: a file named by all that the fit depends on.

    Attributes
    ----------
    paths : tuple of Path
        One for each fit, or none: nothing is kept.
    """

    paths: tuple[Path, ...]

    @classmethod
    def of(
        cls,
        folder: str | Path | None,
        start: Compiled,
        asked: Sequence[tuple[Any, Any]],
        settings: Mapping[str, Any],
    ) -> KeptFits:
        """Say where fits of each of several priors and data (None: those of ``start``) are kept.

        Raises
        ------
        OSError
            If nothing can be written there.
        StudyError
            If priors are objects of another library, which no file tells apart.
        """
        if folder is None:
            return cls(())
        graph = Plain.of(start).key
        said = attrs.pack({name: value for name, value in settings.items() if name != "progress"})
        paths = []
        for priors, data in asked:
            toml = start.study.priors(start.priors if priors is None else priors).to_toml()
            own = fingerprint(start.data if data is None else start.study.dataset(data))
            version = str(installed("bayesmig"))
            told = "\n".join((graph, toml, own, said, version))
            digest = hashlib.sha256(told.encode()).hexdigest()
            paths.append(Path(folder) / f"{digest[:16]}.nc")
        outputs.check(paths[0])
        return cls(tuple(paths))

    def read(self) -> dict[int, xr.DataTree]:
        """Return the fits that are there, by their number in the list."""
        return {k: open_fit(path) for k, path in enumerate(self.paths) if path.exists()}

    def write(self, k: int, fit: xr.DataTree) -> None:
        """Save a fit, unless nothing is kept."""
        if self.paths:
            save_fit(fit, self.paths[k], digits=None)

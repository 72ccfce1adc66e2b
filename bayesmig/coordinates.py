"""Normal effects in coordinates that suit the sampler: the model is the same whatever they are."""

from __future__ import annotations

from typing import Any


def effects(name: str, scale: Any, centered: Any, *dims: str, mean: Any = 0.0) -> Any:
    """Create normal effects in the active model, between non-centred and centred.

    With c = ``centered``: raw ~ Normal(c mean, scale^c),
    effect = mean + scale^(1 - c) (raw - c mean), whose density does not depend on c.
    ``mean``, ``scale`` and ``centered`` must broadcast against the shape of ``dims``.

    Examples
    --------
    >>> import pymc as pm
    >>> from bayesmig.coordinates import effects
    >>> with pm.Model(coords={"group": ["a", "b"]}) as model:
    ...     effect = effects("effect", pm.LogNormal("scale"), 0.5, "group", mean=-2.0)
    >>> [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    ['scale', 'effect_raw', 'effect']
    """
    import pymc as pm

    raw = pm.Normal(f"{name}_raw", centered * mean, scale**centered, dims=dims)
    effect = mean + scale ** (1 - centered) * (raw - centered * mean)
    return pm.Deterministic(name, effect, dims=dims)


def effects_near(
    name: str, scale: Any, location: Any, information: Any, *dims: str, mean: Any = 0.0
) -> Any:
    """Create normal effects in the active model, in coordinates that suit the data.

    effect ~ Normal(mean, scale), of which the data say that it is ``location``, with that
    ``information`` (one over a variance).  Where the data say much of an effect it is centred,
    where they say little it is not, whatever ``scale`` is just then.

    Parameters
    ----------
    name : str
        Begins the name of the coordinates, ``NAME_raw``.
    scale, location, information, mean
        Must broadcast to the shape of ``dims``.
    *dims : str

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from bayesmig.coordinates import effects_near
    >>> location, information = np.array([0.3, -0.1]), np.array([50.0, 0.0])
    >>> with pm.Model(coords={"group": ["a", "b"]}) as model:
    ...     effect = effects_near("effect", pm.LogNormal("scale"), location, information, "group")
    >>> [variable.name for variable in model.free_RVs]
    ['scale', 'effect_raw']
    """
    pull = scale * information * (location - mean)
    return mean + scale * standard_normal(name, pull, scale**2 * information, *dims)


def standard_normal(name: str, pull: Any, information: Any, *dims: str) -> Any:
    """Create z ~ Normal(0, 1) in coordinates that suit the data.

    If the data say of z that it is pull / information, with that information, then
    z = (pull + sqrt(1 + information) raw) / (1 + information) has raw ~ Normal(0, 1) a
    posteriori; a priori it is the normal that makes z standard.

    Examples
    --------
    >>> import numpy as np
    >>> import pymc as pm
    >>> from bayesmig.coordinates import standard_normal
    >>> with pm.Model(coords={"group": ["a", "b"]}) as model:
    ...     z = standard_normal("z", np.array([2.0, 0.0]), np.array([4.0, 0.0]), "group")
    >>> [variable.name for variable in model.free_RVs]
    ['z_raw']
    """
    import pymc as pm
    import pytensor.tensor as pt

    width = 1 / pt.sqrt(1 + pt.as_tensor(information))
    raw = pm.Normal(f"{name}_raw", -pull * width, 1 / width, dims=dims)
    return pull * width**2 + width * raw

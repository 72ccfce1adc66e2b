"""The snapshot model of undocumented migration as a graph.

Migrants are solitary (one trip) or circular (a rookie trip, then repeat trips until
they retire).  A survey in Mexico meets those who are at home, so what it hears of
departures and sojourns is a snapshot: the probability of an answer is the chance of
having made that trip and being home, over the chance of being home at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from bayesmig.errors import DataWarning, StudyError, warn
from bayesmig.models.snapshot import design
from bayesmig.models.snapshot.data import LEAST_REPEATERS, too_few_repeaters, validate
from bayesmig.models.snapshot.design import Errors, Which, Whose
from bayesmig.models.snapshot.paper import CROSSINGS, CROSSINGS_SINCE, PIECES, SINGLE_YEARS
from bayesmig.models.snapshot.window import Knots, Window

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from bayesmig.priors import PriorSet

Parametrization = Literal["flow", "paper"]
Shape = Literal["curve", "dirichlet"]
Stays = Literal["leaving", "long_share", "dirichlet"]
Calibration = Literal["exact", "paper"]


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    parametrization: Parametrization = "flow",
    departures: Shape = "curve",
    sojourns: Stays = "leaving",
    knots: Knots = PIECES,
    single_years: int = SINGLE_YEARS,
    calibration: Calibration = "exact",
    trips_of: Whose = "repeaters",
    trips_error: Errors = "pooled",
    barrier: float = 1.0,
    cells: Which = "answered",
    crossings: float | Literal["prior"] = CROSSINGS,
    crossings_since: int = CROSSINGS_SINCE,
) -> pm.Model:
    """Build the graph of a set of snapshot surveys.

    Parameters
    ----------
    data : Dataset
        Respondents as `data.example`, `data.read` or `simulate.simulate` give them; its attributes
        ``first_year`` and ``last_year`` are the model's window (tau years).
    priors : PriorSet
    parametrization : {"flow", "paper"}
        What is free beside phi, q, f_S, a_S and a_C.  ``flow``: when circular migrants
        first leave (g) and the chance that they leave again (rho); every value is a
        possible history.  ``paper``: when all circular trips leave (f_C) and the mean
        trips to date (m_C) at knots, as in Section 11; values that imply negative flows
        or chances above one have no likelihood.
    departures : {"curve", "dirichlet"}
        Prior of f_S and g (f_C): log-quadratic with a random walk about it, or a
        Dirichlet over the years.
    sojourns : {"leaving", "long_share", "dirichlet"}
        Prior of a_S and a_C: a chance to leave that changes slowly with the length of stay
        (the first year has its own, as in both camps of the controversy); the share of stays
        beyond ``single_years`` and a power law with a random walk about it for the shorter
        ones; or a Dirichlet over the classes.
    knots : int, sequence of int or "every"
        Number of pieces of equal length, or years, between which logit rho (m_C) is linear;
        logit rho has one more knot in the second year.
    single_years : int
        Lengths of stay with a class of their own; the rest, up to tau, form one class.
    calibration : {"exact", "paper"}
        Mean trips of those at home: followed through departures and returns, or with
        the returners drawn at random from those abroad (eq. 36).
    trips_of : {"repeaters", "everybody"}
        Whose mean trips are observed: of each survey's respondents whose last trip was a
        repeat, given when they left; or of all, as in eq. 39, which counts a second time who
        has made more than one.
    trips_error : {"pooled", "sample"}
        Standard errors of the surveys' mean trips: of a variance that all surveys together
        tell, or each survey's own as in eq. 39.  Trips are skewed, so that surveys whose mean
        comes out low have small errors of their own, and all together too few trips.
    barrier : float
        With ``parametrization="paper"``, how strongly the prior keeps away from impossible
        histories: it is multiplied by (n_C R / C^2)^barrier (1 - rho)^barrier for each year,
        as a Beta(1 + barrier, 1 + barrier) does to the rookies' share of a year's
        departures.  Without it (0) the sampler diverges at every step.
    cells : {"answered", "possible"}
        Answers that the graph counts: those that occur, or all that could.  The
        posterior is the same; whole survey sets are drawn from the second.
    crossings : float or "prior"
        Millions of crossings since ``crossings_since``, which set the scale (eq. 44).
    crossings_since : int

    Returns
    -------
    pm.Model
        Variables: ``solitary_share`` (phi), ``retirement_prob`` (q);
        ``solitary_departures`` (f_S), ``rookie_departures`` (g), ``circular_departures``
        (f_C), ``repeat_prob`` (rho), ``mean_trips`` (m_C), ``trips_at_home`` (m_Mexico,
        eq. 38), dim year; ``solitary_sojourn`` (a_S) and ``circular_sojourn`` (a_C), dim
        sojourn_class; ``total_crossings`` (T, millions).  Observed: ``respondents``
        (cell), counts; ``sampled_mean_trips`` (survey), trips.

    Raises
    ------
    DataError, StudyError

    Warns
    -----
    DataWarning
        If so few respondents are on a repeat trip that solitary and circular migrants can hardly
        be told apart.
    """
    import pymc as pm

    if not (isinstance(barrier, Real) and 0 <= barrier < np.inf):
        raise StudyError(f"barrier must be a number from 0 on, got {barrier!r}")
    window = Window.of(validate(data).attrs, single_years, knots)
    if too_few_repeaters(data):
        warn(
            f"{data['repeat'].values.mean():.1%} of {data.sizes['respondent']:,} respondents are "
            f"on a repeat trip: with fewer than {LEAST_REPEATERS:.0%} solitary migrants and "
            "circular ones can change places, and each chain may see one of two answers",
            DataWarning,
        )
    timing = _departure_curve if departures == "curve" else _departure_simplex
    staying = _STAYS[sojourns]
    with pm.Model(coords=window.coords) as model:
        years = _Years.of(window)
        phi = priors.variable("solitary_share", support="unit")
        q = priors.variable("retirement_prob", support="unit")
        solitary = phi * timing("solitary_departures", priors, window)
        a_c = years.by_length(staying("circular_sojourn", priors, window))
        a_s = years.by_length(staying("solitary_sojourn", priors, window))
        if parametrization == "flow":
            g = timing("rookie_departures", priors, window)
            circular = _flows(1 - phi, g, q, _repeat_prob(priors, window), a_c, years)
        else:
            f_c = timing("circular_departures", priors, window)
            m_c = _mean_trips(priors, window)
            circular = _paper_flows(1 - phi, f_c, m_c, q, a_c, years, barrier)
        carry = _exact_trips if calibration == "exact" else _paper_trips
        carried = carry(circular, years)
        returned = years.convolve(solitary, _cumsum(a_s))  # N_S - P_S
        home = returned + circular.at_home(circular.departures)  # sigma (eq. 21)
        trips = (returned + carried.at_home) / home  # eq. 38
        pm.Deterministic("trips_at_home", trips, dims="year")
        _scale(solitary + circular.departures, crossings, crossings_since, priors, window)
        answers = design.cells(data, cells)
        sample = design.mean_trips(data, trips_error, trips_of)
        model.add_coord("cell", answers.labels(window.first_year))
        model.add_coord("survey", window.years[sample.survey])
        respondents = _observe_answers(answers, solitary, a_s, circular, home)
        if trips_of == "repeaters":
            trips = _trips_of_repeaters(respondents, carried.by_active)
        _observe_mean_trips(sample, trips)
    return model


# --- parameters -------------------------------------------------------------------------


def _departure_simplex(name: str, priors: PriorSet, window: Window) -> Any:
    """Shares of the years, all free."""
    return priors.variable(name, "year", support="simplex")


def _departure_curve(name: str, priors: PriorSet, window: Window) -> Any:
    """Shares of the years: log-quadratic, with a random walk about it."""
    import pymc as pm
    import pytensor.tensor as pt

    trend = priors.variable(f"{name}_trend", "trend")
    step = priors.variable(f"{name}_step", support="positive")
    noise = pm.Normal(f"{name}_noise", dims="year_step")
    powers = pm.Data(f"{name}_powers", window.trend, dims=("year", "trend"))
    walk = pt.concatenate([pt.zeros(1), _cumsum(noise)])
    curve = (powers * trend[None]).sum(1) + step * (walk - walk.mean())
    return pm.Deterministic(name, _softmax(curve), dims="year")


def _sojourn_simplex(name: str, priors: PriorSet, window: Window) -> Any:
    """Shares of the classes, all free."""
    return priors.variable(name, "sojourn_class", support="simplex")


def _sojourn_long_share(name: str, priors: PriorSet, window: Window) -> Any:
    """Share of long sojourns, and a power law with a random walk about it for the others.

    The walk goes in log years: what is left of a migrant's first year tells more of the
    second than of the twelfth.
    """
    import pymc as pm
    import pytensor.tensor as pt

    long = priors.variable(f"{name}_long", support="unit")
    slope = priors.variable(f"{name}_slope")
    step = priors.variable(f"{name}_step", support="positive")
    noise = pm.Normal(f"{name}_noise", dims="sojourn_step")
    length = pm.Data(f"{name}_log_steps", window.log_steps, dims="sojourn_step")
    walk = _cumsum((step * noise - slope) * length)
    short = _softmax(pt.concatenate([pt.zeros(1), walk]))
    share = pt.concatenate([(1 - long) * short, long[None]])
    return pm.Deterministic(name, share, dims="sojourn_class")


def _sojourn_leaving(name: str, priors: PriorSet, window: Window) -> Any:
    """Chance to leave by year of stay: the first year's, then one that changes slowly.

    From the second year on its logit is linear in log years, with a random walk about it.  Who
    has not left after the single years has a long stay.  How fast the chance of solitary migrants
    falls is told by that of circular ones, whose stays are known better, and a difference.
    """
    import pymc as pm
    import pytensor.tensor as pt

    kind = name.removesuffix("_sojourn")
    first = priors.variable(f"{kind}_leaving_first_year")
    second = priors.variable(f"{kind}_leaving_second_year")
    if kind == "circular":
        slope = priors.variable("circular_leaving_slope")
    else:
        slope = pm.modelcontext(None)["circular_leaving_slope"]
        slope += priors.variable("solitary_leaving_slope_difference")
    step = priors.variable(f"{kind}_leaving_step", support="positive")
    noise = pm.Normal(f"{kind}_leaving_noise", dims="leaving_step")
    length = pm.Data(f"{kind}_leaving_log_steps", window.log_steps[1:], dims="leaving_step")
    walk = _cumsum(step * pt.sqrt(length) * noise - slope * length)
    logit = pt.concatenate([first[None], second[None], second + walk])
    still = _cumsum(-pt.softplus(logit))  # log share still there after each year
    before = pt.concatenate([pt.zeros(1), still[:-1]])
    share = pt.concatenate([pt.exp(before - pt.softplus(-logit)), pt.exp(still[-1:])])
    return pm.Deterministic(name, share, dims="sojourn_class")


_STAYS = {
    "leaving": _sojourn_leaving,
    "long_share": _sojourn_long_share,
    "dirichlet": _sojourn_simplex,
}


def _repeat_prob(priors: PriorSet, window: Window) -> Any:
    """rho(t): its logit is linear between knots, and walks from knot to knot."""
    import pymc as pm
    import pytensor.tensor as pt

    start = priors.variable("repeat_start")
    step = priors.variable("repeat_step", support="positive")
    noise = pm.Normal("repeat_noise", dims="repeat_knot_step")
    length = pm.Data("repeat_knot_length", window.knot_steps, dims="repeat_knot_step")
    walk = pt.concatenate([pt.zeros(1), _cumsum(step * pt.sqrt(length) * noise)])
    weight = window.interpolation(window.first_year + 1)
    weight = pm.Data("repeat_weight", weight, dims=("year", "repeat_knot"))
    can = pm.Data("can_repeat", (window.years > window.first_year) * 1.0, dims="year")
    logit = (weight * (start + walk)[None]).sum(1)
    return pm.Deterministic("repeat_prob", can * pm.math.invlogit(logit), dims="year")


def _mean_trips(priors: PriorSet, window: Window) -> Any:
    """m_C(t): 1 in the first year, linear between knots (Section 11)."""
    import pymc as pm

    at_knots = priors.variable("mean_trips_at_knots", "trip_knot", support="positive")
    years = np.array(window.knots) - window.first_year
    # most other values imply impossible histories
    pm.modelcontext(None).set_initval(at_knots, 1 + 0.4 * years / years[-1])
    weight = pm.Data(
        "trip_weight", window.interpolation(window.first_year)[:, 1:], dims=("year", "trip_knot")
    )
    return pm.Deterministic("mean_trips", 1 + (weight * (at_knots - 1)[None]).sum(1), dims="year")


# --- flows ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Years:
    """Lags between years, as data of the graph.

    Attributes
    ----------
    lag, past : (year, departure)
        Years since departure, 0 before it; whether the departure is not to come.
    class_of_year, class_width : (year), (sojourn_class)
        Class of each length of stay; years in each class.
    """

    lag: Any
    past: Any
    class_of_year: Any
    class_width: Any

    @classmethod
    def of(cls, window: Window) -> _Years:
        import pymc as pm

        return cls(
            pm.Data("lag", window.lag, dims=("year", "departure")),
            pm.Data("past", window.past, dims=("year", "departure")),
            pm.Data("class_of_year", window.class_of_year, dims="year"),
            pm.Data("class_width", window.class_width, dims="sojourn_class"),
        )

    def by_length(self, share: Any) -> Any:
        """Probability of each length of stay in years, from the shares of the classes."""
        return (share / self.class_width)[self.class_of_year]

    def toeplitz(self, by_lag: Any) -> Any:
        """Matrix (year, departure) of a function of the years since departure."""
        return by_lag[self.lag] * self.past

    def convolve(self, flow: Any, by_lag: Any) -> Any:
        """Sum over departures up to each year."""
        return (self.toeplitz(by_lag) * flow[None]).sum(1)


@dataclass(frozen=True)
class _Circular:
    """Circular migrants' trips, per migrant of either kind, by year.

    Attributes
    ----------
    rookies, departures : (year)
        n_C and C, first trips and all trips.
    repeat_prob : (year)
        rho.
    sojourn : (year)
        a_C by length.
    retirement_prob : scalar
        q.
    ended : (year, departure)
        A: whether a trip ends in a year.
    idle : (year, departure)
        K A: whether it has ended and, if its migrant is active, no other has begun.
    possible : scalar
        Whether flows and probabilities are such.
    """

    rookies: Any
    departures: Any
    repeat_prob: Any
    sojourn: Any
    retirement_prob: Any
    ended: Any
    idle: Any
    possible: Any = None

    def active(self, carried: Any) -> Any:
        """What departing circular migrants carry, summed over the active at home (M)."""
        return (1 - self.retirement_prob) * (self.idle * carried[None]).sum(1)

    def at_home(self, carried: Any) -> Any:
        """The same, summed over all at home (M + Q)."""
        q = self.retirement_prob
        return (((1 - q) * self.idle + q * _cumsum(self.ended)) * carried[None]).sum(1)

    @property
    def system(self) -> Any:
        """I - B: first trips are all trips less those that follow on others."""
        import pytensor.tensor as pt

        again = (1 - self.retirement_prob) * self.repeat_prob[1:, None] * self.idle[:-1]
        size = self.repeat_prob.shape[0]
        return pt.eye(size) - pt.concatenate([pt.zeros((1, size)), again])


def _flows(share: Any, g: Any, q: Any, rho: Any, a_c: Any, years: _Years) -> _Circular:
    """All trips from first trips and repeat probabilities: C = (I - B)^-1 n."""
    import pymc as pm

    ended = years.toeplitz(a_c)
    first = _Circular(g, None, rho, a_c, q, ended, _idle(rho, ended))
    trips = _solve(first.system, g)  # per circular migrant
    pm.Deterministic("circular_departures", trips / trips.sum(), dims="year")
    pm.Deterministic("mean_trips", _cumsum(trips) / _cumsum(g), dims="year")
    return _Circular(share * g, share * trips, rho, a_c, q, ended, first.idle)


def _paper_flows(
    share: Any, f_c: Any, mean_trips: Any, q: Any, a_c: Any, years: _Years, barrier: float
) -> _Circular:
    """First trips and repeat probabilities from all trips and their mean (eqs. 5-19).

    They can come out impossible; the log-likelihood is minus infinity then.  The barrier is
    a factor of the prior, not of the likelihood.
    """
    import pymc as pm
    import pytensor.tensor as pt

    departures = share * mean_trips[-1] * f_c
    travelled = _cumsum(departures) / mean_trips  # N_C
    rookies = pt.concatenate([travelled[:1], travelled[1:] - travelled[:-1]])
    ended = years.toeplitz(a_c)
    abroad = years.convolve(departures, 1 - _cumsum(a_c))  # P_C
    retired = q * _cumsum((ended * departures[None]).sum(1))  # Q
    active = travelled - abroad - retired
    repeaters = departures - rookies
    rho = pt.concatenate([pt.zeros(1), repeaters[1:] / active[:-1]])
    shares = pt.concatenate([rookies / departures, repeaters[1:] / departures[1:], (1 - rho)[1:]])
    possible = pt.all(shares > 0) & pt.all(active[:-1] > 0)
    if barrier > 0:
        inside = pt.log(pt.switch(possible, shares, 1.0)).sum()
        strength = pm.Data("barrier_strength", float(barrier))
        pm.Potential("barrier", pt.switch(possible, strength * inside, -np.inf))
    rho = pm.Deterministic("repeat_prob", rho, dims="year")
    pm.Deterministic("rookie_departures", rookies / share, dims="year")
    return _Circular(rookies, departures, rho, a_c, q, ended, _idle(rho, ended), possible)


def _idle(rho: Any, ended: Any) -> Any:
    """K A, with K[t, u] = prod_{k = u + 1..t} (1 - rho(k)) split into t's and u's share."""
    stayed = _stayed(rho)[:, None]
    return stayed * _cumsum(ended / stayed)


def _stayed(rho: Any) -> Any:
    import pytensor.tensor as pt

    return pt.cumprod(1 - rho)


# --- mean trips (Section 10) ------------------------------------------------------------


class _Carried(NamedTuple):
    """Trips to date of circular migrants at home, by year.

    Attributes
    ----------
    at_home : (year)
        All of them together.
    by_active : (year)
        V_A / M, the mean of those who have not retired; 0 where there are none.
    """

    at_home: Any
    by_active: Any

    @classmethod
    def of(cls, circular: _Circular, at_home: Any, active: Any) -> _Carried:
        """Carried by all at home, and by the active among them (V_A)."""
        import pytensor.tensor as pt

        migrants = circular.active(circular.departures)
        return cls(at_home, active / pt.switch(migrants > 0, migrants, 1.0))


def _exact_trips(circular: _Circular, years: _Years) -> _Carried:
    """Those departing carry T = (I - B)^-1 C."""
    carried = _solve(circular.system, circular.departures)
    return _Carried.of(circular, circular.at_home(carried), circular.active(carried))


def _paper_trips(circular: _Circular, years: _Years) -> _Carried:
    """The same as the paper has it: returners are drawn at random from those abroad (eq. 36).

    Equations 33, 36 and 37 are linear in the trips of active migrants at home, V_A:
    m_US P_C = P_C + H V_A, with H[t, u] = S_C(t - u) rho(u + 1), and
    V_A = sum C - m_US P_C - V_Q.
    """
    import pytensor.tensor as pt

    q, departures = circular.retirement_prob, circular.departures
    still_away = years.toeplitz(1 - _cumsum(circular.sojourn))
    abroad = (still_away * departures[None]).sum(1)
    returns = (circular.ended * departures[None]).sum(1)
    size = departures.shape[0]
    carried = pt.concatenate(
        [still_away[:, 1:] * circular.repeat_prob[None, 1:], pt.zeros((size, 1))], axis=1
    )
    weight = (returns / abroad)[:, None]
    system = pt.eye(size) + carried + q * _cumsum(weight * carried)
    active = _solve(system, _cumsum(departures) - abroad - q * _cumsum(returns), unit=False)
    at_home = _cumsum(departures) - abroad - (carried * active[None]).sum(1)
    return _Carried.of(circular, at_home, active)


def _scale(flow: Any, crossings: Any, since: int, priors: PriorSet, window: Window) -> None:
    """T: all crossings, scaled so that those since a year are the known total (eq. 44)."""
    import pymc as pm

    if not (isinstance(since, Integral) and window.first_year <= since <= window.last_year):
        raise StudyError(
            f"crossings_since must be a year in {window.first_year}-{window.last_year}, "
            f"got {since!r}"
        )
    if crossings == "prior":
        total = priors.variable("scaled_crossings", support="positive")
    elif isinstance(crossings, Real) and 0 < crossings < np.inf:
        total = pm.Data("scaled_crossings", float(crossings))
    else:
        raise StudyError(f"crossings must be millions, or 'prior', got {crossings!r}")
    counted = pm.Data("crossings_counted", (window.years >= since) * 1.0, dims="year")
    pm.Deterministic("total_crossings", total * flow.sum() / (counted * flow).sum())


# --- what is observed -------------------------------------------------------------------


def _observe_answers(
    cells: design.Cells, solitary: Any, a_s: Any, circular: _Circular, home: Any
) -> None:
    """Counts of respondents by survey, departure, sojourn and kind of trip (eqs. 22-32)."""
    import pymc as pm
    import pytensor.tensor as pt

    t = pm.Data("cell_survey", cells.survey, dims="cell")
    d = pm.Data("cell_departure", cells.departure, dims="cell")
    j = pm.Data("cell_sojourn", cells.sojourn, dims="cell")
    repeat = pm.Data("cell_repeat", cells.repeat, dims="cell")
    size = pm.Data("cell_survey_size", cells.survey_size, dims="cell")
    q, stayed = circular.retirement_prob, _stayed(circular.repeat_prob)
    stays = q + (1 - q) * stayed[t] / stayed[d + j]  # retired, or did not leave again
    repeaters = circular.departures - circular.rookies
    flow = (1 - repeat) * circular.rookies[d] + repeat * repeaters[d]
    met = (1 - repeat) * solitary[d] * a_s[j] + flow * circular.sojourn[j] * stays
    log_p = pt.log(met / home[t])
    if circular.possible is not None:
        log_p = pt.switch(circular.possible, log_p, -np.inf)
    count = pm.Data("cell_count", cells.count, dims="cell")
    return pm.CustomDist(
        "respondents",
        log_p,
        t,
        size,
        logp=lambda count, log_p, t, size: pt.switch(pt.eq(count, 0), 0.0, count * log_p),
        random=_draw_counts,
        observed=count,
        dims="cell",
        dtype=count.dtype,
    )


def _draw_counts(
    log_p: Any, survey: Any, respondents: Any, rng: Any = None, size: Any = None
) -> Any:
    """Draw counts (..., cell): each survey's respondents fall into its cells at random.

    Raises
    ------
    StudyError
        If some could fall into none of the graph's cells: answers that nobody gave are none.
    """
    shape = np.broadcast_shapes(np.shape(log_p), np.shape(survey), tuple(size or ()))
    chance = np.broadcast_to(np.exp(log_p), shape).reshape(-1, shape[-1])
    counts = np.zeros(chance.shape, dtype=np.int32)
    of_cell = np.asarray(survey).reshape(-1, shape[-1])[0]
    met = np.asarray(respondents).reshape(-1, shape[-1])[0]
    for t in np.unique(of_cell):
        here = np.flatnonzero(of_cell == t)
        ends = np.cumsum(chance[:, here], axis=1)
        if (ends[:, -1] < 1 - 1e-6).any():
            raise StudyError(
                "this graph has the cells of the answers that were given, and "
                f"{1 - ends[:, -1].min():.0%} of those who are drawn answer otherwise: draw from "
                "study.build(data, cells='possible'), as bm.add_groups(fit, "
                "'posterior_predictive') does"
            )
        ends /= ends[:, -1:]  # a sum of 1 + 1e-16 is 1
        people = rng.random((len(chance), met[here[0]]))
        for row, (end, person) in enumerate(zip(ends, people, strict=True)):
            cell = np.searchsorted(end, person, side="right")
            counts[row, here] = np.bincount(cell, minlength=len(here))
    return counts.reshape(shape)


def _trips_of_repeaters(respondents: Any, by_active: Any) -> Any:
    """Mean trips of each year's respondents on a repeat trip, given when they left.

    Whoever leaves again has one trip more than the active who are at home at the end of the year
    before.  How long the trip takes and what comes after it do not depend on their number.
    """
    import pymc as pm
    import pytensor.tensor as pt

    model = pm.modelcontext(None)
    survey, departure = model["cell_survey"], model["cell_departure"]
    repeaters = respondents * model["cell_repeat"]
    expected = pt.concatenate([pt.ones(1), 1 + by_active[:-1]])  # nobody repeats in the first year
    none = pt.zeros_like(by_active)
    trips = pt.inc_subtensor(none[survey], repeaters * expected[departure])
    return trips / pt.maximum(pt.inc_subtensor(none[survey], repeaters), 1)


def _observe_mean_trips(sample: design.MeanTrips, trips: Any) -> None:
    """Mean trips to date of each survey's respondents (eq. 39)."""
    import pymc as pm

    survey = pm.Data("trips_survey", sample.survey, dims="survey")
    error = pm.Data("trips_error", sample.error, dims="survey")
    observed = pm.Data("trips_mean", sample.mean, dims="survey")
    pm.Normal("sampled_mean_trips", trips[survey], error, observed=observed, dims="survey")


# --- small change -----------------------------------------------------------------------


def _cumsum(x: Any) -> Any:
    """Cumulative sum over the first dim."""
    import pytensor.tensor as pt

    return pt.cumsum(x, axis=0)


def _softmax(x: Any) -> Any:
    import pytensor.tensor as pt

    e = pt.exp(x - x.max())
    return e / e.sum()


def _solve(system: Any, right: Any, unit: bool = True) -> Any:
    from pytensor.tensor.linalg import solve_triangular

    return solve_triangular(system, right, lower=True, unit_diagonal=unit)

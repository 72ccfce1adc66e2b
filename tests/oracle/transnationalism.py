"""The three graphs of the essay by loops: no vector, no library but math."""

from math import asin, erfc, exp, lgamma, log, pi, sqrt


def normal(x, mean, sd):
    return -0.5 * ((x - mean) / sd) ** 2 - log(sd) - 0.5 * log(2 * pi)


def below(z):
    return 0.5 * erfc(-z / sqrt(2))


# Printed coefficients


def standard_error(estimate, half, rounding, position, least, greatest):
    """From where the log ratio is between the logs of its bounds."""
    unrounded = estimate + half * (2 * rounding - 1)
    ratio = exp(log(least) * (1 - position) + log(greatest) * position)
    return abs(unrounded) / ratio


def printed(estimate, half, coefficient, rounding, position, least, greatest):
    """Log density of the estimate that was rounded, around the coefficient."""
    unrounded = estimate + half * (2 * rounding - 1)
    error = standard_error(estimate, half, rounding, position, least, greatest)
    return normal(unrounded, coefficient, error)


# Respondents


def logistic(x):
    return 1 / (1 + exp(-x))


def linear(person, coefficients, means):
    """Linear predictor of one person, less the intercept, from raw numbers."""
    return sum(b * (person[name] - means[name]) for name, b in coefficients.items())


def economic(answer, base, eta):
    p = logistic(log(base / (1 - base)) + eta)
    return log(p if answer == 1 else 1 - p)


def political(answer, base, alpha, eta):
    """A Poisson count whose rate is gamma, summed in closed form."""
    mu, k = base * exp(eta), int(answer)
    value = alpha * log(alpha / (alpha + mu)) + k * log(mu / (alpha + mu))
    for i in range(k):  # gamma function by its recursion
        value += log(alpha + i) - log(i + 1)
    return value


def sociocultural(answer, shares, eta):
    """Above k with the log odds of the average person above k, plus eta."""

    def above(k):
        if k < 0:
            return 1.0
        rest = sum(shares[k + 1 :])
        if k >= len(shares) - 1:
            return 0.0
        return logistic(log(rest / (1 - rest)) + eta)

    return log(above(int(answer) - 1) - above(int(answer)))


# Rates


def binomial(k, n, p):
    if p == 0:
        return 0.0 if k == 0 else float("-inf")
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p)


def exactly(percent, half, rate, n):
    """Probability that k of n, a whole number, print as a percentage: summed over k."""
    total = 0.0
    for k in range(n + 1):
        if percent - half <= 100 * k / n < percent + half:
            total += exp(binomial(k, n, rate))
    return total


def rounded(percent, half, rate, n):
    """The graph's: by Anscombe's transformation, zero (and 100) exact in small samples."""
    small = n * half / 100 <= 1
    if percent <= half and small:
        return n * log(1 - rate)
    if percent >= 100 - half and small:
        return n * log(rate)
    low, high = max(percent - half, 0) / 100, min(percent + half, 100) / 100
    ends = []
    for share in (low, high):
        transformed = asin(sqrt((n * share + 0.375) / (n + 0.75)))
        ends.append(2 * sqrt(n + 0.5) * (transformed - asin(sqrt(rate))))
    if percent <= half:
        return log(below(ends[1]))
    if percent >= 100 - half:
        return log(below(-ends[0]))
    if ends[0] > 0:
        ends = [-ends[1], -ends[0]]
    return log(below(ends[1]) - below(ends[0]))


def total(printed_total, half, percents, sizes, widths):
    """Log probability of a total: a mean of rates each of which is even within its rounding."""
    whole = sum(sizes)
    mean = sum(n / whole * x for n, x in zip(sizes, percents, strict=True))
    variance = sum((n / whole) ** 2 * w**2 / 12 for n, w in zip(sizes, widths, strict=True))
    sd = sqrt(variance)
    high, low = (printed_total + half - mean) / sd, (printed_total - half - mean) / sd
    if low > 0:
        low, high = -high, -low
    return log(below(high) - below(low))


def balance(sizes, percents, printed_total):
    """Log of how much the groups above a total outweigh those below."""
    above = sum(n * (x - printed_total) for n, x in zip(sizes, percents, strict=True)
                if x > printed_total)  # fmt: skip
    under = sum(n * (printed_total - x) for n, x in zip(sizes, percents, strict=True)
                if x < printed_total)  # fmt: skip
    return log(above) - log(under)

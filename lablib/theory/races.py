"""Who is first: probabilities of a race between two messages, or of one against many.

Delays are a shift plus an exponential of mean tau, or lognormal; all in one unit of time.
Source: derived for these races; the tests hold every formula against simulated ones.
"""

from __future__ import annotations

import numpy as np

from lablib.theory.domain import COUNT, FINITE, POSITIVE, Result, Values, elementwise
from lablib.theory.numerics import cdf


@elementwise(head_start=FINITE, tau=POSITIVE)
def race_probability(head_start: Values, tau: Values) -> Result:
    """P(first) with a shift smaller by D, both jitters Exp(tau): 1 - exp(-D/tau) / 2.

    A negative head start is the rival's: exp(D/tau) / 2.

    >>> race_probability(np.array([5.0, 20.0]), tau=10.0).round(5)
    array([0.69673, 0.93233])
    """
    tail = 0.5 * np.exp(-np.abs(head_start) / tau)
    return np.where(head_start >= 0, 1 - tail, tail)


@elementwise(median=POSITIVE, rival_median=POSITIVE, log_sd=POSITIVE)
def lognormal_race_probability(median: Values, rival_median: Values, log_sd: Values) -> Result:
    """P(first) of two lognormal delays of one log-sd: Phi(ln(m2/m1) / (sd sqrt 2)).

    >>> round(lognormal_race_probability(50, 60, log_sd=0.3), 5)
    0.66631
    """
    return cdf(np.log(rival_median / median) / (log_sd * np.sqrt(2)))


@elementwise(handicap=FINITE, tau=POSITIVE, snipers=COUNT)
def escape_probability(handicap: Values, tau: Values, snipers: Values) -> Result:
    """P(the maker's cancel beats all k snipers), its shift greater by D: exp(-k D/tau)/(k+1).

    All jitters are Exp(tau). A maker with a head start (D < 0) escapes with 1 - exp(D/tau) k/(k+1).

    >>> escape_probability(np.array([0.0, 3.0]), tau=10.0, snipers=5).round(5)
    array([0.16667, 0.03719])
    """
    behind = np.exp(-snipers * np.maximum(handicap, 0.0) / tau) / (snipers + 1)
    ahead = 1 - np.exp(np.minimum(handicap, 0.0) / tau) * snipers / (snipers + 1)
    return np.where(handicap >= 0, behind, ahead)

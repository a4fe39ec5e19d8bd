"""Counts of security events with bursts in them, and how many of the bursts plain scores find.

    simulation.py NOISE SEED FILE

200 series of five-minute counts over eight weeks, six to learn and two to be tested. Rates lie between 0.02 and 100 a
bucket; every other series follows office hours; all drift. Into the last two weeks go 400 bursts of fifteen minutes, of
twice, four and eight times the rate. FILE gets series, buckets and bursts as counts of them, then the counts, then series,
bucket and strength of each burst, all as little-endian 32-bit numbers.

A score's threshold is the one with which all series together give one false alarm a day where no burst is. One line a
score: its name, and the share of bursts that it finds.
"""

import sys

import numpy as np
from scipy import stats

HOUR, DAY, WEEK = 12, 288, 2016
SERIES, WEEKS, LEARNT, BURSTS = 200, 8, 6, 400
DISPERSION = 0.3
TEST = LEARNT * WEEK
END = WEEKS * WEEK
TEST_DAYS = (END - TEST) // DAY
FLOOR = 1 / 72

BUCKETS = np.arange(END)
HOUR_OF_WEEK = BUCKETS % WEEK // HOUR


def rates(random):
    """What each series would count on average, by bucket."""
    hour, day = BUCKETS % DAY // HOUR, BUCKETS % WEEK // DAY
    office = np.where((day < 5) & (hour >= 8) & (hour < 18), 1.0, 0.15)
    flat = np.ones_like(office)
    level = 10 ** random.uniform(-1.7, 2.0, SERIES)
    shape = np.array([flat if series % 2 else office for series in range(SERIES)])
    drift = np.exp(np.cumsum(random.normal(0, 0.004, (SERIES, END)), 1) * 0.5)
    return level[:, None] * shape * np.clip(drift, 0.5, 2)


def counts(random, rate, noise):
    if noise == "nb":
        return random.poisson(random.gamma(1 / DISPERSION, rate * DISPERSION))
    if noise == "lognormal":
        return random.poisson(rate * np.exp(random.normal(0, 0.55, rate.shape) - 0.55**2 / 2))
    if noise == "poisson":
        return random.poisson(rate)
    shocks = random.normal(0, 1, rate.shape)
    lasting = np.zeros_like(shocks)
    lasting[:, 0] = shocks[:, 0]
    for bucket in range(1, END):
        lasting[:, bucket] = 0.8 * lasting[:, bucket - 1] + 0.6 * shocks[:, bucket]
    return random.poisson(rate * np.exp(0.5 * lasting - 0.125))


def add_bursts(random, rate, count):
    bursts = []
    for _ in range(BURSTS):
        series, begin = random.integers(SERIES), random.integers(TEST, END - 6)
        times = random.choice([2, 4, 8])
        least = random.choice([3, 6, 12])
        more = np.maximum(least, times * rate[series, begin : begin + 3])
        count[series, begin : begin + 3] += random.poisson(more)
        bursts.append((series, begin, times))
    return np.array(bursts)


def by_hour_of_week(count, measure):
    """A measure of what was learnt in the same hour of the week, for each bucket."""
    out = np.zeros(count.shape)
    for hour in range(WEEK // HOUR):
        buckets = np.where(HOUR_OF_WEEK == hour)[0]
        out[:, buckets] = measure(count[:, buckets[buckets < TEST]])[:, None]
    return out


def moving_z(count):
    """How far from an exponentially weighted mean, in its deviations, each clipped at four of them."""
    weight, score = 0.02, np.zeros((SERIES, END - TEST))
    mean, variance = count[:, :500].mean(1), count[:, :500].var(1)
    for bucket in range(500, END):
        away = count[:, bucket] - mean
        deviation = np.sqrt(np.maximum(variance, 1e-3))
        if bucket >= TEST:
            score[:, bucket - TEST] = away / deviation
        away = np.clip(away, -4 * deviation, 4 * deviation)
        mean = mean + weight * away
        variance = (1 - weight) * (variance + weight * away**2)
    return score


def level(count, mean):
    """What the last day but for the last hour counted, of what it was expected to."""
    def sums(values):
        return np.cumsum(np.pad(values, ((0, 0), (1, 0))), 1)

    end = np.arange(TEST, END) - HOUR
    seen, expected = sums(count), sums(np.maximum(mean, FLOOR))
    ratio = (seen[:, end] - seen[:, end - DAY] + 5) / (expected[:, end] - expected[:, end - DAY] + 5)
    return np.clip(ratio, 0.3, 3)


def scores(count):
    mean = by_hour_of_week(count, lambda of: of.mean(1))
    deviation = by_hour_of_week(count, lambda of: of.std(1))[:, TEST:]
    median = by_hour_of_week(count, lambda of: np.median(of, 1))
    away = by_hour_of_week(
        count, lambda of: np.median(np.abs(of - np.median(of, 1)[:, None]), 1) * 1.4826
    )[:, TEST:]
    learnt, tested = count[:, :TEST], count[:, TEST:]
    past = mean[:, :TEST]
    excess = ((learnt - past) ** 2 - past).sum(1) / np.maximum((past**2).sum(1), 1e-9)
    shape = 1 / np.maximum(excess, 1e-3)[:, None]
    expected = np.maximum(mean[:, TEST:], FLOOR)
    corrected = expected * level(count, mean)

    def tail(of):
        return -stats.nbinom.logsf(tested - 1, shape, shape / (shape + of))

    overall, spread = learnt.mean(1)[:, None], learnt.std(1)[:, None]
    yield "negative-binomial tail, hour of week, level of the last day", tail(corrected)
    yield "negative-binomial tail, hour of week", tail(expected)
    yield "median and MAD, hour of week", (tested - median[:, TEST:]) / np.maximum(away, 0.5)
    yield "z of all hours", (tested - overall) / np.maximum(spread, 0.1)
    yield "z, hour of week", (tested - expected) / np.maximum(deviation, 0.1)
    yield "z of a moving mean", moving_z(count)
    yield "Poisson tail, hour of week", -stats.poisson.logsf(tested - 1, expected)


def recall(score, bursts):
    score = np.nan_to_num(score, posinf=1e6)
    near = np.zeros(score.shape, bool)
    for series, begin, _ in bursts:
        near[series, max(0, begin - 1 - TEST) : begin + 6 - TEST] = True
    threshold = np.sort(score[~near])[::-1][TEST_DAYS]
    found = [
        (score[series, begin - TEST : begin - TEST + 3] > threshold).any()
        for series, begin, _ in bursts
    ]
    return np.mean(found)


def main():
    noise, seed, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    random = np.random.default_rng(seed)
    rate = rates(random)
    count = counts(random, rate, noise)
    bursts = add_bursts(random, rate, count)
    with open(path, "wb") as file:
        for part in (np.array([SERIES, END, BURSTS]), count, bursts):
            file.write(part.astype("<u4").tobytes())
    for name, score in scores(count):
        print(name, f"{recall(score, bursts):.4f}", sep="\t")


main()

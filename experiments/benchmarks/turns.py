"""Both sides of a comparison in one run, in turns: a machine whose speed drifts is fair to both."""

import statistics
import time

from tqdm import tqdm


def take_turns(task, sides, *, rounds, goals=None, unit="posters/s"):
    """Measures each side once a round, after one round that does not count.

    Args:
        task: What all sides do.
        sides: dict of name -> function without arguments that returns a rate, more is faster; ours is the first.
        rounds: Rounds that count.
        goals: dict of name -> ratio of ours to that side that we want. Defaults to none.
        unit: Of the rates. Defaults to `"posters/s"`.

    Returns:
        list of dict, a row a side: `task`, `side`, `unit`, `rate` (median of the rounds), `rate_low`, `rate_high`,
        `ratio` (ours to it, median of the rounds' ratios; 1 for ours), `ratio_low`, `ratio_high`, `goal`, `rounds`.
    """
    measured = [{name: measure() for name, measure in sides.items()} for _ in tqdm(range(rounds + 1), desc=task)][1:]
    ours, rows = next(iter(sides)), []
    for name in sides:
        row = {"task": task, "side": name, "unit": unit, "rounds": rounds, "goal": (goals or {}).get(name)}
        row |= _spread("rate", [rates[name] for rates in measured])
        rows.append(row | _spread("ratio", [rates[ours] / rates[name] for rates in measured]))
    return rows


def rate(action, count):
    """How many a second: `count` by the seconds that `action()` takes."""
    started = time.perf_counter()
    action()
    return count / (time.perf_counter() - started)


def _spread(name, values):
    return {name: statistics.median(values), f"{name}_low": min(values), f"{name}_high": max(values)}

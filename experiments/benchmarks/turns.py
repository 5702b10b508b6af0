"""Measurement of both sides of a comparison in turns, so that changes of the machine's speed affect both."""

import statistics
import time

from tqdm import tqdm


def take_turns(task, sides, *, rounds, goals=None, unit="posters/s"):
    """Measure each side once per round, after a warm-up round.

    Args:
        task: Name of the task that all sides do.
        sides: Dict of name -> function without arguments that returns a rate; ours is the first.
        rounds: Number of measured rounds.
        goals: Dict of name -> desired ratio of our rate to that side's. Defaults to `None`.
        unit: Unit of the rates. Defaults to `"posters/s"`.

    Returns:
        List of dicts, one per side: `task`, `side`, `unit`, `rate` (median of the rounds), `rate_low`, `rate_high`,
        `ratio` (our rate to that side's, median over rounds; 1 for ours), `ratio_low`, `ratio_high`, `goal`, `rounds`.
    """
    measured = [{name: measure() for name, measure in sides.items()} for _ in tqdm(range(rounds + 1), desc=task)][1:]
    ours, rows = next(iter(sides)), []
    for name in sides:
        row = {"task": task, "side": name, "unit": unit, "rounds": rounds, "goal": (goals or {}).get(name)}
        row |= _spread("rate", [rates[name] for rates in measured])
        rows.append(row | _spread("ratio", [rates[ours] / rates[name] for rates in measured]))
    return rows


def rate(action, count):
    """Return `count` divided by the seconds that `action()` takes."""
    started = time.perf_counter()
    action()
    return count / (time.perf_counter() - started)


def _spread(name, values):
    return {name: statistics.median(values), f"{name}_low": min(values), f"{name}_high": max(values)}

"""What lab 07 shows of its runs' logs: the turning point, the recipes, the alarms."""

from collections.abc import Callable

from course_lib.stages.pretrain import Run
from course_lib.widgets import curve, rlhf
from course_lib.widgets.table import table, your_run


def curves(run: Run) -> tuple[list[int], list[float], list[float]]:
    """(steps, the reward model's score, gold utility) of a run, an entry a step."""
    steps, proxy, gold = ([row[key] for row in run.history] for key in ("step", "reward", "gold"))
    return steps, proxy, gold


def recall(guess: str) -> None:
    """What the reader expected, if they have written it down."""
    if guess:
        print(f"You wrote: {guess}")


def show_turn(run: Run, turn: int | None, size: str) -> None:
    """Proxy and gold utility of a run with its turning point, and a sentence on it."""
    steps, proxy, gold = curves(run)
    curve.show(rlhf.overoptimisation(steps, proxy, gold, turn))
    said = f"The gold utility has no turning point in the {len(steps)} steps."
    if turn is not None:
        kl = next(row["kl"] for row in run.history if row["step"] == turn)
        said = f"The gold utility turned at step {turn} of {len(steps)}, at a KL of {kl:.1f} nats an answer."
    your_run(said, size=size, shows="over-optimisation")


def show_recipe(before, after) -> None:
    """The settings in which two runs differ."""
    said = lambda name, value: "off" if name == "clip" and value > 100 else str(value)
    pairs = {name: (said(name, value), said(name, vars(after)[name])) for name, value in vars(before).items()}
    rows = [(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]
    table({"setting": "", "§ 10": "", "§ 13": ""}, rows)


def show_alarms(alarms_of: Callable, runs: dict, alarms: dict, window: int) -> dict[str, list[str]]:
    """Which alarms went off in each run, the first one first."""
    gone = {name: alarms_of(run.history, alarms, window) for name, run in runs.items()}
    table(
        {"run": "", "alarms, the first one first": ""}, [(name, ", ".join(off) or "none") for name, off in gone.items()]
    )
    return gone


def show_log(run: Run, keys) -> None:
    """Some rows of a run's log, with what it said."""
    heads = {"step": ""} | dict.fromkeys(keys, ".2f") | {"a sample": ""}
    rows = run.history[:: max(1, len(run.history) // 8)]
    table(heads, [(str(row["step"]), *(row[key] for key in keys), rlhf.clipped(row["sample"], 44)) for row in rows])


def show_two(own: Run, theirs: Run) -> None:
    """The whole logs of two short runs, step by step beside each other."""
    keys = ("reward", "kl", "entropy", "length", "clipped")
    heads = {"step": ""} | {f"{key}, {whose}": ".2f" for key in keys for whose in ("yours", "theirs")}
    pairs = zip(own.history, theirs.history)
    table(heads, [(str(a["step"]), *(row[key] for key in keys for row in (a, b))) for a, b in pairs])
    your_run(shows="where a wrong loss leads")

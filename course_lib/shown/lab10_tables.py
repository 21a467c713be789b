"""Lab 10, what its tables and pictures share: the two rates of judged rows with their intervals, the plane, guesses."""

from collections.abc import Callable

from course_lib.evaluation.safety import rates
from course_lib.shown.common import guessed as told  # noqa: F401
from course_lib.widgets import curve
from course_lib.widgets import safety as pictures
from course_lib.widgets.safety import counted, percent, split_by
from course_lib.widgets.table import table

RATES = {"harmful refused": ">", "benign refused": ">", "benign explained": ".1%"}  # heads of a table


def of_kind(rows: list[dict], kind: str) -> list[dict]:
    """The rows that are "harmful", or "benign"."""
    return [row for row in rows if row["kind"] == kind]


def said_by_user(messages: list[dict]) -> str:
    """What the user says, turn by turn, on one line."""
    return "  ▸  ".join(message["content"] for message in messages if message["role"] == "user")


def cells(rows: list[dict]) -> tuple:
    """What a table says of judged rows under the heads of RATES, each rate with its 95 % interval."""
    explained, n = counted(rows, "benign", "explained")
    return *(percent(*counted(rows, kind)) for kind in ("harmful", "benign")), explained / n if n else None


def rates_table(groups: dict[str, list[dict]], title: str = "", guess: str = "") -> None:
    """A row for each group of judged rows."""
    table({"": "", **RATES}, [(name, *cells(rows)) for name, rows in groups.items()], title)
    told(guess)


def show_plane(found: dict[str, list[dict]], rates_of: Callable, names: tuple[str, ...] = ()) -> None:
    """The judged rows of `names` (of all, where none is given) as points of the plane and as a table. `rates_of` is the
    reader's: it has to give what the picture counts.
    """
    chosen = {name: found[name] for name in names or found}
    for rows in chosen.values():
        yours, ours = rates_of(rows), rates(rows)
        assert all(abs(yours[key] - ours[key]) < 1e-9 for key in ("harmful_refused", "benign_refused"))
    curve.show(pictures.plane_figure(chosen))
    rates_table(chosen)


def show_parts(rows: list[dict], *keys: str) -> None:
    """The rates of judged rows by disguise, by category …"""
    for key in keys:
        rates_table(split_by(rows, key), f"by {key}")


def by_disguise(rows: list[dict], kind: str = "harmful") -> dict[str, tuple[int, int]]:
    """{disguise: (how many are refused, of how many)}."""
    return {name: counted(part, kind) for name, part in split_by(rows, "disguise").items()}


def show_disguises(groups: dict[str, list[dict]], kind: str, title: str) -> None:
    """How much of a kind is refused in each disguise; the limit is 100 % of the harmful and 0 % of the benign."""
    limit = 100 if kind == "harmful" else 0
    counts = {name: by_disguise(rows, kind) for name, rows in groups.items()}
    curve.show(pictures.rates_figure(counts, f"{kind} requests refused, %", title, limit))


def share(rows: list[dict], kind: str) -> float:
    """Share of a kind that is refused."""
    refused, n = counted(rows, kind)
    return refused / n

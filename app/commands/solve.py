"""``nashboard solve``: the equilibria of a game, verified."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from app.commands.output import Device, JsonOption, Output

if TYPE_CHECKING:
    from engine.games.catalogue import Entry
    from engine.games.games import Game, Profile
    from engine.games.methods import Method
    from engine.games.results import Solution, Step
    from engine.games.solve import Solving

_NOT_SOLVED = 1


class Start(StrEnum):
    """Where learning starts."""

    RANDOM = "random"
    UNIFORM = "uniform"


def solve(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="GAME", help="A .nfg, .npz or .json file.")] = None,
    game: Annotated[str, typer.Option(metavar="KEY", help="A game of the catalogue instead; see --games.")] = "",
    size: Annotated[str, typer.Option(metavar="AxB", help="That game's parameters in their order, as 12x4.")] = "",
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="One of that game's parameters.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Decides all that is left to chance.")] = 0,
    method: Annotated[str, typer.Option(metavar="M", help="How to solve it; see --methods.")] = "",
    tune: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="One of the method's parameters.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Find all equilibria, the extreme ones of sets.")] = False,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.CPU,
    epsilon: Annotated[float, typer.Option(metavar="E", help="NashConv to reach, relative to the payoffs.")] = 1e-6,
    start: Annotated[Start, typer.Option(help="Where learning starts: by the seed, or evenly mixed.")] = Start.RANDOM,
    iterations: Annotated[int, typer.Option(metavar="N", help="At most so many; 0: the method's limit.")] = 0,
    time_limit: Annotated[float | None, typer.Option(metavar="S", help="Seconds after which to stop.")] = None,
    trace: Annotated[Path | None, typer.Option(metavar="OUT.csv", help="Write every iteration.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the game: .nfg, .npz or .json.")] = None,
    methods: Annotated[bool, typer.Option("--methods", help="List the methods, of a game or all.")] = False,
    games: Annotated[bool, typer.Option("--games", help="List the games of the catalogue.")] = False,
    json: JsonOption = False,
) -> None:
    """Find equilibria of a game; each answer is verified.

    Exit status 1 and the best profile when it does not converge."""
    from engine.core.process import use_one_thread

    use_one_thread()  # before anything imports NumPy
    from app.commands import solve_text as text
    from engine.games.parameters import tuned

    output: Output = context.obj
    _check_apart(trace, file, out)
    if games:
        listed = text.games_json()
        output.result(listed, text.games_text(listed))
        return
    played = _game(file, game, size, param or [], seed)
    if methods:
        listed = text.methods_json(played)
        output.result(listed, text.methods_text(listed))
        return
    if played is None:
        from engine.core.errors import UsageError

        raise UsageError("There is no game to solve", "", "Give a file, or --game KEY; --games lists the keys.")
    chosen = _method(played, method, every)
    options = {"epsilon": epsilon, "seed": seed, "iterations": iterations, "device": device.value}
    options |= {} if time_limit is None else {"time_limit_s": time_limit}
    options |= {"stride": 1 if trace else 0, "start": _start(played, chosen, start, seed)}
    options |= {"parameters": tuned(chosen, _numbers(_pair("--tune", item) for item in tune or []))}
    solving = _solving(played, chosen, options)
    if out is not None:
        from engine.games.files import write_game

        write_game(out, played)
    value = {"game": text.game_json(played), **_run(output, solving, trace)}
    solution = solving.solution
    assert solution is not None
    if out is not None:
        value["out"] = str(out)
    _tell(output, value, played, solution)


def _check_apart(trace: Path | None, *games: Path | None) -> None:
    """Raise UsageError when the trace would take the place of a game."""
    from os.path import realpath

    from engine.core.errors import UsageError

    if trace is not None and realpath(trace) in [realpath(game) for game in games if game]:
        raise UsageError("The trace cannot be written", f"{trace} is the file of the game", "Choose another name.")


def _tell(output: Output, value: dict[str, Any], game: Game, solution: Solution) -> None:
    """Print the answer, and exit as it deserves."""
    from app.commands import solve_text as text
    from engine.games.results import Status

    if solution.status is Status.CANCELLED:
        output.extra = value
        if not output.json:
            output.result(value, text.solution_text(game, value))
        raise KeyboardInterrupt
    output.result(value, text.solution_text(game, value))
    if solution.status is Status.NOT_CONVERGED:
        output.note(f"Not converged: {solution.message or 'epsilon was missed'}.")
        raise typer.Exit(_NOT_SOLVED)


def _game(file: Path | None, key: str, size: str, param: list[str], seed: int) -> Game | None:
    from engine.core.errors import UsageError

    if file is not None and key:
        raise UsageError("There are two games", f"{file} and {key}", "Give a file or --game KEY.")
    if key:
        from engine.games.catalogue import entry_of

        entry = entry_of(key)
        return entry.make(seed, **_parameters(entry, size, param))
    if size or param:
        raise UsageError("--size and --param shape a game of the catalogue", "there is no --game KEY")
    if file is None:
        return None
    from engine.games.files import read_game

    return read_game(file)


def _parameters(entry: Entry, size: str, param: list[str]) -> dict[str, float]:
    from engine.core.errors import UsageError

    words = size.lower().split("x") if size else []
    if len(words) > len(entry.parameters):
        names = ", ".join(parameter.name for parameter in entry.parameters) or "none"
        raise UsageError(f"--size {size} has too many numbers", f"the parameters of {entry.key} are: {names}")
    given = [(parameter.name, word) for parameter, word in zip(entry.parameters, words, strict=False)]
    return _numbers([*given, *(_pair("--param", item) for item in param)])


def _pair(option: str, item: str) -> tuple[str, str]:
    from engine.core.errors import UsageError

    name, equals, word = item.partition("=")
    if not equals:
        raise UsageError(f"{option} {item} cannot be used", "it is not NAME=N")
    return name, word


def _numbers(given: Iterable[tuple[str, str]]) -> dict[str, float]:
    from engine.core.errors import UsageError

    values = {}
    for name, word in given:
        try:
            values[name] = float(word)
        except ValueError as error:
            raise UsageError(f"The parameter {name} cannot be used", f"{word!r} is not a number") from error
    return values


def _method(game: Game, key: str, every: bool) -> Method:
    from engine.core.errors import UsageError
    from engine.games.methods import AUTO, Finds, method_for, method_for_all

    if not every:
        return method_for(game, key or AUTO)
    chosen = method_for(game, key) if key else method_for_all(game)
    if chosen.finds is not Finds.ALL:
        raise UsageError(f"{chosen.title} does not find all equilibria", "", "Leave --method out, or --all.")
    return chosen


def _start(game: Game, method: Method, start: Start, seed: int) -> Profile | None:
    """Return where to start: many games are solved by evenly mixed strategies, which shows nothing of learning."""
    from engine.games.games import FiniteGame
    from engine.games.generators import random_start
    from engine.games.methods import Finds

    if start is Start.UNIFORM or method.finds is not Finds.LEARNING or not isinstance(game, FiniteGame):
        return None
    return random_start(game, seed)


def _solving(game: Game, method: Method, options: dict[str, Any]) -> Solving:
    from engine.games.options import SolveOptions
    from engine.games.solve import Solving

    if options["device"] == Device.CUDA and Device.CUDA in method.devices:
        from engine.core.arrays import array_module

        array_module(Device.CUDA)  # says what is missing before anything is computed
    return Solving(game, method, SolveOptions(**options))


def _run(output: Output, solving: Solving, trace: Path | None) -> dict[str, Any]:
    """Drive the method to its end or to Ctrl+C, and return what there is to tell."""
    from engine.games.trace import TraceDigest, TraceWriter

    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        show = stack.enter_context(_progress(output))
        writer = None if trace is None else stack.enter_context(TraceWriter(trace, solving.game))
        digest = TraceDigest()
        try:
            for step in solving:
                show(step)
                if writer is not None:
                    with interrupts.whole():  # a row is counted and hashed, or not written
                        writer.write(step)
                        digest.update(step)
        except KeyboardInterrupt:
            solving.cancel()
    assert solving.solution is not None
    value = solving.solution.to_json()
    if writer is not None:
        value["trace"] = {"file": str(trace), "rows": writer.rows, "hash": digest.hexdigest()}
        if writer.left_out:
            value["trace"]["left_out"] = writer.left_out
    return value


class Interrupts:
    """Take SIGTERM like Ctrl+C: the best so far is told. Neither comes in the midst of what is ``whole``."""

    def __init__(self) -> None:
        self._held = self._came = False

    def __enter__(self) -> Self:
        """Take the signals, but for a Ctrl+C that whoever started the program had it ignore."""
        import signal

        numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._on_signal) for number in numbers}
        return self

    def __exit__(self, *_error: object) -> None:
        """Give the signals back."""
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Let a signal wait until what belongs together is done. Raises KeyboardInterrupt then."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._came:
            raise KeyboardInterrupt

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._came = True
        if not self._held:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _progress(output: Output) -> Iterator[Callable[[Step], None]]:
    """Show iteration and gap on a terminal while it lasts; elsewhere nothing."""
    import sys
    import time

    if not sys.stderr.isatty():
        yield lambda step: None
        return
    shown = time.monotonic()
    with output.console().status("Solving") as status:

        def show(step: Step) -> None:
            nonlocal shown
            if time.monotonic() - shown > 0.1:
                shown = time.monotonic()
                status.update(f"{step.note or 'Solving'}: iteration {step.iteration:,}, NashConv {step.gap:.3g}")

        yield show

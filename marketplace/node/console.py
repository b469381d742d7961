"""What a command says: its result on stdout, everything else on stderr, and errors as one line.

Results are for people, or with --json one JSON document. A process runs one command, so how it speaks is
kept here once.
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from marketplace.errors import EXIT_STATUS, FairshareError, Reason

_PIPED_WIDTH = 200  # columns, where no terminal says how wide it is
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


@dataclass
class _Manner:
    json: bool = False
    verbose: bool = False


_manner = _Manner()


def configure(*, json: bool = False, verbose: bool = False) -> None:
    """Sets how this process speaks from here on."""
    _manner.json = json
    _manner.verbose = verbose


def is_json() -> bool:
    """Whether the result is to be one JSON document."""
    return _manner.json


def is_verbose() -> bool:
    """Whether details are wanted."""
    return _manner.verbose


def printable(text: str) -> str:
    """`text` without the control characters with which a stranger's words could rule the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def stderr() -> Console:
    """A console on standard error; markup in texts is not interpreted."""
    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """One line about what goes on, on standard error, as it is now: a live view takes it over."""
    print(printable(text), file=sys.stderr)


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """While something takes its time: a spinner on a terminal, a line elsewhere. Call it to say more."""
    console = stderr()
    if not console.is_terminal:
        note(text)
        yield note
        return
    with console.status(printable(text)) as status:
        yield lambda more: status.update(printable(more))


def result(document: Any, human: str | Table | Callable[[Console], None]) -> None:
    """The command's result: `document` with --json, else `human` (text, a table, or what draws it)."""
    if _manner.json:
        sys.stdout.write(json.dumps(document, indent=2, default=_plain, allow_nan=False) + "\n")
        sys.stdout.flush()
        return
    console = Console(markup=False, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, soft_wrap=True, width=_PIPED_WIDTH)
    if callable(human):
        human(console)
    else:
        console.print(printable(human) if isinstance(human, str) else human)


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table; cells added to it should be passed through `printable` if they come from others."""
    made = Table(title=title, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def lines(document: Mapping[str, Any]) -> str:
    """A flat document as text, a line for each entry."""
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in document.items())


def error_document(error: FairshareError) -> dict[str, Any]:
    """`{"error": {code, message, hint}}`."""
    return {"error": {"code": str(error.reason), "message": error.message, "hint": error.hint}}


def report(error: FairshareError) -> int:
    """Says an error: one line on stderr, with --json the one document on stdout; its exit status."""
    if _manner.json:
        sys.stdout.write(json.dumps(error_document(error)) + "\n")
        sys.stdout.flush()
    line = f"error[{error.reason}]: {error.message}" + (f" — {error.hint}" if error.hint else "")
    print(printable(" ".join(line.split())), file=sys.stderr)
    if _manner.verbose:
        traceback.print_exception(error, file=sys.stderr)
    return error.exit_status


def run(command: Callable[[], int | None]) -> int:
    """The exit status of `command`: its own, or that of the error or signal that ended it."""
    try:
        return command() or 0
    except FairshareError as error:
        return report(error)
    except KeyboardInterrupt:
        print("interrupted: nothing is lost, run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone
        sys.stdout = None  # or Python complains when it flushes it at exit
        return EXIT_STATUS[Reason.INTERNAL]
    except OSError as error:
        return report(_unusable_file(error) if error.filename is not None else _bug(error))
    except Exception as error:  # noqa: BLE001 the outermost place: a bug must still be one line
        return report(_bug(error))


def _unusable_file(error: OSError) -> FairshareError:
    """A file or directory the user named, or one below it, that is missing, taken, forbidden or on a full disk."""
    made = FairshareError(
        Reason.BAD_INPUT,
        f"{error.filename}: {error.strerror}",
        "check the path, who may use it, and the disk's free space",
    )
    made.__cause__ = error
    return made


def _bug(error: Exception) -> FairshareError:
    said = f"{type(error).__name__}: {error}"
    made = FairshareError(Reason.INTERNAL, said, "this is a bug: report it with --verbose's output")
    made.__cause__ = error
    return made


def _plain(value: object) -> object:
    """JSON for what JSON does not know: bytes as 0x-hex, everything else as its text."""
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)

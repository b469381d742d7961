"""What a daemon reads of one block: each view once, and what it usually reads in one request.

That is right whatever happens to the chain. A view's answer at a block follows from the block's hash, and all that a
look remembers it has read itself, by number, since it began. So a second reading could only differ where the block was
reorganised away meanwhile; then what was read before and after does not fit together, with a memory or without one,
which the daemon finds out by the block's hash (`reorganisation.on_chain`). Headers are not remembered, nor what is read
at "latest" or at another block, and nothing outlives the look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from web3 import Web3
from web3.types import RPCResponse

from marketplace.chain.json_rpc import MOST_AT_ONCE, answers, block_tag
from marketplace.chain.views import Question

if TYPE_CHECKING:
    from marketplace.chain.events.base import Event


@dataclass
class Habit:
    """What a daemon's last look read, which the next one will probably read as well. One for each daemon."""

    questions: tuple[Question, ...] = ()


class Look:
    """The answers of views at the block of that number, and projects' events up to it, for one thread.

    Where the endpoint fails in the first request, that raises as any other request does; what it leaves out there, and
    what it answers by an error, is asked for again when it is needed.
    """

    def __init__(self, web3: Web3, block: int, habit: Habit) -> None:
        self.block = block
        self.events: dict[int, tuple[Event, ...]] = {}  # by project, from the first on
        self._web3 = web3
        self._habit = habit
        self._answers: dict[Question, RPCResponse] = {}
        self._read: dict[Question, None] = {}  # in the order of their first reading

    def answer(self, question: Question) -> RPCResponse:
        """The endpoint's answer, for `json_rpc.result_in`."""
        if not self._read:
            self._ask(self._habit.questions)
        self._read[question] = None
        if question not in self._answers:
            return self._ask([question])[0]
        return self._answers[question]

    def end(self) -> None:
        """What was read becomes the habit."""
        self._habit.questions = tuple(self._read)[:MOST_AT_ONCE]

    def _ask(self, questions: Sequence[Question]) -> list[RPCResponse]:
        tag = block_tag(self.block)
        found = answers(self._web3, [question.request(tag) for question in questions])
        for question, answer in zip(questions, found, strict=True):
            if "result" in answer:
                self._answers[question] = answer
        return found

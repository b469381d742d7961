"""How a round's events on the sketch path must be: seed, complaints about chunks, answers, what a result states."""

from __future__ import annotations

from eth_utils.crypto import keccak

from marketplace.audit.book import Book
from marketplace.audit.chunk_paths import is_under
from marketplace.audit.rounds import CohortReplay, Theme
from marketplace.audit.rules_complaint import end_complaint, holder_of
from marketplace.chain import events as e
from marketplace.chain.types import RoundResult, SketchResult, SketchStatement
from marketplace.protocol.chunk_tree import Leaf
from marketplace.protocol.digests import update_digest
from marketplace.protocol.krum import mask
from marketplace.protocol.sketch import sketch_seed
from zk.curve import SIZE, Point, is_on_curve

UPDATE_WIDTH = 2  # bytes of a number

_NO_ROOT = bytes(32)


def drawn(book: Book, event: e.SketchDrawn, time: int) -> None:
    current = book.in_round(event, event.round)
    if current is None:
        return
    p, block = book.standing, event.block_number - 1
    block_hash = book.history.hashes.get(block, b"").rjust(32, b"\0")[:32]
    seed = sketch_seed(block_hash, event.project, event.round)
    book.require_unchallenged(event)
    problems = [
        (book.is_sketched, "the project has no sketches"),
        (time >= p.submit_deadline, "the window was still open"),
        (p.seed_round != event.round, "the round had its seed already"),
        (event.seed == seed, f"the seed is not that of block {block}"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.SEED, event, message)
    p.seed_round, p.sketch_seed = event.round, event.seed
    current.drawn = event


def chunks_complained(book: Book, event: e.ChunksComplained, time: int) -> None:
    """For each slot of the complaint just made, the chunk that an answer must show."""
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    before = cohort.complaints[-1] if cohort.complaints else None
    here = (event.transaction_hash, event.slots)
    follows = before is not None and (before.transaction_hash, before.slots) == here
    slots = [slot for slot in range(book.inputs) if event.slots >> slot & 1]
    chunks = book.terms.chunks
    problems = [
        (follows, "it is not about the complaint just made"),
        (not set(slots) & set(cohort.named), "their chunks were named already"),
        (len(event.chunks) == len(slots), f"it names {len(event.chunks)} chunks for {len(slots)} slots"),
        (all(chunk < chunks for chunk in event.chunks), f"an update has {chunks} chunks"),
    ]
    for holds, message in problems:
        book.require(holds, Theme.COMPLAINTS, event, message, cohort.index)
    cohort.named |= dict(zip(slots, event.chunks, strict=False))


def chunk_answered(book: Book, event: e.UpdateChunkAnswered, time: int) -> None:
    """The chunk that the complaint names, under the root that was submitted; its bytes are for `chunk_answers`."""
    cohort = book.in_cohort(event, event.round, event.cohort)
    if cohort is None:
        return
    holder, chunks = holder_of(book, cohort, event.slot), book.terms.chunks
    digest, asked = cohort.disputed.get(event.slot), cohort.named.get(event.slot)
    root = int.from_bytes(event.root, "big")
    opens = holder is not None and update_digest(root, chunks, holder) == digest
    on_curve = is_on_curve(Point(event.x, event.y))
    size = UPDATE_WIDTH * book.terms.chunk_length
    problems = [
        (event.chunk == asked, f"it shows chunk {event.chunk}, but the complaint names chunk {asked}"),
        (on_curve, "its point is not on the curve"),
        (len(event.packed) == size, f"the chunk has {len(event.packed)} bytes, not {size}"),
    ]
    given = book.history.sketch.update((event.transaction_hash, event.round, event.cohort, event.slot))
    if isinstance(given, str):
        cohort.unshown = given
    elif on_curve:
        leaf = Leaf(event.x, event.y, keccak(event.packed)).digest()
        under = is_under(event.root, event.chunk, chunks, leaf, given.path)
        problems.append((under, "the chunk it shows is not under the root that was submitted"))
    for holds, message in problems:
        book.require(holds, Theme.COMPLAINTS, event, message, cohort.index)
    if end_complaint(book, event, time, cohort, opens=opens or digest is None):
        cohort.chunk_answers.append(event)


def hold_left_out(book: Book, cohort: CohortReplay, event: e.ResultPosted, sketch: SketchResult) -> None:
    """Only an input whose complaint was answered can be left out."""
    cohort.left_out = sketch.left_out
    fits = not sketch.left_out & ~(cohort.answered & ~cohort.complained)
    message = (
        f"{sketch.left_out:#x} are left out, but only complaints about {cohort.answered:#x} were answered"
    )
    book.require(fits, Theme.ARRIVALS, event, message, cohort.index)


def roots_of(book: Book, sketch: SketchResult) -> tuple[Point, ...]:
    """A result's roots by input, as commitments: (root, J), or the point at infinity where there is none."""
    return tuple(
        Point(int.from_bytes(root, "big"), book.terms.chunks if root != _NO_ROOT else 0)
        for root in sketch.roots
    )


def hold_root(book: Book, cohort: CohortReplay, event: e.ResultPosted, sketch: SketchResult) -> None:
    """The new root is the one stated, and stays where nothing is merged; whether it is true, `merges` sees."""
    stated = Point(int.from_bytes(sketch.root, "big"), book.terms.chunks)
    message = "the model's root is not the one that its transaction said"
    book.require(Point(event.x, event.y) == stated, Theme.MODEL, event, message, cohort.index)
    stays = bool(event.merged) or stated == book.standing.model
    message = "the model's root moved, but nothing was merged"
    book.require(stays, Theme.MODEL, event, message, cohort.index)


def statement_of(
    book: Book, cohort: CohortReplay, result: RoundResult, sketch: SketchResult, present: int
) -> SketchStatement | None:
    """What the result states, from its calldata and what was derived; `present`: of inputs. None: it was not judged."""
    if cohort.settlement is None or len(sketch.roots) != book.inputs:
        return None
    return SketchStatement(
        commitments=result.proof[: SIZE * book.inputs],
        gram=keccak(b"".join(entry.to_bytes(32, "big") for entry in result.gram)),
        roots=sketch.roots,
        present=present,
        merged=mask(cohort.settlement.judgement.merged),
        sum=cohort.settlement.moved,
        root=sketch.root,
    )

"""After the submit window: sealed updates to the storage node, keys to an aggregator that took over."""

from __future__ import annotations

from marketplace.chain.types import Block, Project
from marketplace.node.daemon import ProjectDaemon
from marketplace.storage.reasons import Purpose
from marketplace.updates.envelope import reseal
from trainer_node.prepared import SERVED, Prepared


def serve(node: ProjectDaemon, project: Project, block: Block) -> None:
    """Hand sealed updates to the storage node, once their round's window has closed and not before."""
    closed = project.round if block.timestamp >= project.submit_deadline else project.round - 1
    for round_ in range(max(1, closed - 1), closed + 1):
        if node.journal.get(node.context.project, round_, SERVED, False):
            continue
        prepared = Prepared.recall(node.journal, node.context.project, round_)
        if prepared is not None and prepared.own is not None:
            node.context.store.add(prepared.own.blob, node.context.why(round_, Purpose.UPDATE))
            node.journal.put(node.context.project, round_, SERVED, True)
            node.log.info("serving", round=round_)


def reseal_key(node: ProjectDaemon, project: Project, prepared: Prepared, block: Block) -> None:
    """After a take-over, seal the update's key to the aggregator that took over. `block`: the newest."""
    index, number = project.aggregator_index, node.context.project
    if index == prepared.aggregator_index or prepared.own is None:
        return
    intent = f"reseal:{number}:{project.round}:{index}"
    if node.is_seen(project.round, intent, block):
        return
    sealed = reseal(prepared.own.content_key, node.peers.aggregator(index).encryption_key)
    call = node.context.client.market.functions.reseal(number, project.round, sealed)
    if node.attempt(intent, call, project.round, project.result_deadline):
        node.see(project.round, intent, node.context.client.latest_block())
        node.log.info("resealed", round=project.round, aggregator=index)

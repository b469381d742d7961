"""An owner that posts a project rigged in its favour finds nobody to take part."""

from __future__ import annotations

import pytest

from marketplace.chain.compile import compile_source
from marketplace.errors import FairshareError, Reason
from marketplace.node.project import load_project
from marketplace.owner import circuits
from tests.support.live_market import LiveMarket, project_file

ACCEPTING_VERIFIER = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract AcceptingVerifier {
    function verifyProof(bytes calldata, uint256[] calldata) external pure returns (bool) { return true; }
}"""


def test_a_verifier_that_accepts_everything_is_recognised(
    market: LiveMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is registered under a digest of its own, with the true shape and C_0, and honest files in the spec."""
    accepting = compile_source("AcceptingVerifier", ACCEPTING_VERIFIER)
    monkeypatch.setattr(circuits, "compiled_verifier", lambda files: accepting)
    project = market.post(project_file())
    for session in (market.trainers[0], market.aggregators[0]):
        with pytest.raises(FairshareError) as refused:
            load_project(session.client, session.store, project, session.cache)
        assert refused.value.reason is Reason.INTEGRITY
        assert "false proofs" in refused.value.hint

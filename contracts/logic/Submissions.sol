// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Cohort, ITrainingMarket, Member, Project, ScoreRule, Terms} from "../interfaces/ITrainingMarket.sol";
import {Arrival} from "../libraries/Arrival.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {MarketState} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";

/// @title What arrives in a round: digests by transaction, the owner's reference, the aggregator's batch
/// @notice Called by TrainingMarket with its own storage.
library Submissions {
    using BitMask for uint256;

    uint256 private constant SEALED_KEY_BYTES = 80;

    /// @notice Whose submission, its digest, and the sealed update's CIDv0 digest.
    struct Submission {
        address trainer;
        bytes32 digest;
        bytes32 blob;
    }

    /// @notice ITrainingMarket.submit.
    function submit(
        MarketState storage s,
        uint256 project,
        uint256 round,
        uint256 seat,
        bytes32 digest,
        bytes32 blob
    ) external {
        _submit(s, project, round, seat, Submission(msg.sender, digest, blob));
    }

    /// @notice ITrainingMarket.submitSigned.
    function submitSigned(
        MarketState storage s,
        uint256 project,
        uint256 round,
        uint256 seat,
        Submission calldata submission,
        bytes calldata signature
    ) external {
        bytes32 hash = Arrival.relayedHash(project, round, submission.digest, submission.blob);
        if (!SignatureChecker.isValidSignatureNow(submission.trainer, hash, signature)) {
            revert ITrainingMarket.NotSigned(submission.trainer);
        }
        _submit(s, project, round, seat, submission);
    }

    /// @notice ITrainingMarket.submitReference.
    function submitReference(
        MarketState storage s,
        uint256 project,
        uint256 round,
        bytes32 digest,
        bytes32 blob
    ) external {
        Project storage p = Rounds.inRound(s, project, round);
        Terms storage t = s.terms[project];
        Rounds.requireBefore(p.submitDeadline);
        if (msg.sender != p.owner || t.scoreRule != ScoreRule.Reference) {
            revert ITrainingMarket.NotOwner(project, msg.sender);
        }
        // The set is public: trainers could have trained on it. The round goes by the fallback rule.
        if (p.revealed) revert ITrainingMarket.WrongStatus(project, p.status);
        if (digest == 0) revert ITrainingMarket.InvalidDigest();
        if (p.referenceRound == round) revert ITrainingMarket.AlreadySubmitted(t.slots);
        p.referenceRound = uint16(round);
        p.referenceDigest = digest;
        emit ITrainingMarket.ReferenceSubmitted(project, round, digest, blob);
        Rounds.closeIfComplete(s, project);
    }

    /// @notice ITrainingMarket.postBatch.
    function postBatch(
        MarketState storage s,
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        bytes32 root,
        bytes32 list
    ) external {
        Project storage p = Rounds.inRound(s, project, round);
        Terms storage t = s.terms[project];
        Rounds.requireTurn(s, project);
        if (t.batchWindow == 0) revert ITrainingMarket.InvalidBatch(slots);
        Rounds.requireBefore(uint256(p.submitDeadline) - t.submitWindow + t.batchWindow);
        Cohort storage c = Rounds.cohort(s, project, cohort);
        if (slots == 0 || slots >> t.slots != 0 || c.batched != 0) revert ITrainingMarket.InvalidBatch(slots);
        c.batched = uint16(slots);
        c.batchIndex = p.aggregatorIndex;
        c.batchRoot = root;
        c.chain = Arrival.afterBatch(c.chain, root);
        emit ITrainingMarket.BatchPosted(project, round, cohort, p.aggregatorIndex, slots, root, list);
    }

    /// @notice ITrainingMarket.reseal.
    function reseal(MarketState storage s, uint256 project, uint256 round, bytes calldata sealedKey) external {
        Project storage p = Rounds.inRound(s, project, round);
        Rounds.requireFrom(p.submitDeadline);
        if (s.members[project][msg.sender].number == 0 && msg.sender != p.owner) {
            revert ITrainingMarket.NotMember(project, msg.sender);
        }
        if (sealedKey.length != SEALED_KEY_BYTES) {
            revert ITrainingMarket.InvalidLength(sealedKey.length, SEALED_KEY_BYTES);
        }
        emit ITrainingMarket.KeyResealed(project, round, msg.sender, p.aggregatorIndex, sealedKey);
    }

    function _submit(
        MarketState storage s,
        uint256 project,
        uint256 round,
        uint256 seat,
        Submission memory submission
    ) private {
        Project storage p = Rounds.inRound(s, project, round);
        Rounds.requireBefore(p.submitDeadline);
        if (submission.digest == 0) revert ITrainingMarket.InvalidDigest();
        uint256 slots = s.terms[project].slots;
        uint256 slot = seat % slots;
        Cohort storage c = Rounds.cohort(s, project, seat / slots);
        _requireSeat(s, p, project, round, seat, submission.trainer);
        if (uint256(c.submitted).has(slot)) revert ITrainingMarket.AlreadySubmitted(slot);
        c.submitted |= uint16(1 << slot);
        c.chain = Arrival.afterTransaction(c.chain, slot, submission.digest);
        emit ITrainingMarket.UpdateSubmitted(
            project,
            round,
            submission.trainer,
            seat / slots,
            slot,
            submission.digest,
            submission.blob
        );
        // Only the last seat of a cohort can be the last awaited one.
        if (uint256(c.submitted).count() >= slots || p.trainerCount < slots) Rounds.closeIfComplete(s, project);
    }

    function _requireSeat(
        MarketState storage s,
        Project storage p,
        uint256 project,
        uint256 round,
        uint256 seat,
        address trainer
    ) private view {
        Member storage m = s.members[project][trainer];
        uint256 number = Rounds.number(p, round, seat);
        if (number == Rounds.NONE || m.left || m.number != number + 1) {
            revert ITrainingMarket.NotYourSeat(seat, trainer);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier, Circuit} from "../../../contracts/interfaces/IGramVerifier.sol";
import {
    ChallengeKind,
    ITrainingMarket,
    Outcome,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {Permit} from "../../../contracts/libraries/Payments.sol";
import {OddVerifier} from "./support/AcceptingVerifier.sol";
import {Play} from "./support/Play.sol";
import {PlainToken, ReentrantToken} from "./support/Tokens.sol";

interface VmMore {
    function chainId(uint256 id) external;
}

/// @notice Takes coins and calls back while it does.
contract CallingReceiver {
    address private _target;
    bytes private _data;
    uint256 public tries;
    bool public succeeded;

    function aim(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function act(address to, uint256 value, bytes calldata data) external {
        (bool ok, bytes memory answer) = to.call{value: value}(data);
        require(ok, string(answer));
    }

    receive() external payable {
        ++tries;
        (succeeded, ) = _target.call(_data);
    }
}

/// @notice What a hostile party tries, and that it gets nothing by it. Where another suite has the test, it is named:
///
/// | attack | test |
/// |---|---|
/// | reentrancy: a token that calls back | here; StakeVault.testATokenCannotReenter |
/// | reentrancy: a receiver that calls back | here; Settling.testAReceiverThatCallsBackIsRefused |
/// | unchecked transfer, a token that says false | Payments.testTokensThatSayFalseAreRefusedBothWays, StakeVault |
/// | fee on transfer, rebasing | Payments.testTokensThatMoveMoreOrLessAreRefused, StakeVault.testFuzzANegativeRebase* |
/// | permit front-run | StakeVault.testAFrontRunPermitDoesNotBlockADeposit, Payments.testAFrontRunPermitDoesNotBlock |
/// | commitment copying, front-running | RoundLife.testACopiedDigestIsOfNoUse; here |
/// | commitments changed after the window | RoundLife.testArrivalsMustBeTheRounds, Batches.testALateSignature*; Invariants |
/// | copying others' public updates | here |
/// | proof replay: rounds, projects, chains | here; Batches.testASignatureIsForOneRoundOfOneProject |
/// | malleable or truncated proof, signature | here; GramVerifier.testRefusesTrailingOrMissingBytes |
/// | instance plus field modulus | here; GramVerifier.testFuzzRefusesNumbersBeyondTheField |
/// | foreign verifying key | here; GramVerifier.testRefusesAVerifierWhoseCodeChanged |
/// | a point off the curve | Complaints.testAPointOffTheCurveCannotBeAnswered, GramVerifier.testRefusesMergedPointsOff* |
/// | griefing by silence of every role in every state | Liveness |
/// | owner walking away | Liveness.testTrainerFromEveryState and all others but the owner's |
/// | aggregator stalls, list exhausted | Liveness; RoundLife.testWithoutAggregatorsTheProjectHalts |
/// | aggregator censors | RoundLife, Batches.testATransactionWinsOverTheBatch |
/// | non-reveal | Settling.testTheRevealBondIsForfeited |
/// | unbounded input | here; Membership.testContactIsBounded, Cohorts.testGasDoesNotGrowWithTheTrainers |
/// | one bad participant | Complaints.testSilence*, Settling.testAReceiverThatRefusesHurtsNobodyElse |
/// | timestamp at the edges | here |
/// | rounding to zero | here; Settling.testADustyRevealBondIsNotStuck |
/// | self-dealing owner | here |
/// | Sybil cohort | here; ReputationRegistry.testFuzzSybilsScoreNoMoreInSum |
/// | overflow at extreme amounts | here; TermsCheck.testTotalAmount, Settling.testConservation |
/// | an update blown up to the norm bound | here; Krum.testFuzzLargestNorms |
/// | updates that are no int16 and cancel | here; Krum.testAFarPairIsRefused |
/// | an owner bending the reference | here |
/// | unbond escape before a slash | here; StakeVault.testUnbondingStakeCannotBeLocked |
/// | tx.origin | used nowhere |
/// | predictable draw | Cohorts.testTheSeedIsNotKnownBeforeJoiningHasClosed, Starting.testTheSeedIsOfABlock* |
/// | proof decorative | here (foreign verifying key); Challenges.testAnAggregatorWithoutAProofLosesItsBond |
contract AttacksTest is Play {
    VmMore private constant more = VmMore(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes4 private constant REENTRANT = bytes4(keccak256("ReentrancyGuardReentrantCall()"));

    // Reentrancy

    function testReentrantTokenFindsEveryDoorLocked() external {
        ReentrantToken token = new ReentrantToken();
        uint256 project = _active(address(token));
        _playRound(project);
        vm.warp(market.projectOf(project).challengeDeadline);
        Permit memory none;
        Terms memory t = _terms(address(token));
        RoundResult memory result;
        bytes[12] memory calls = [
            abi.encodeCall(market.claim, (project, trainers[0])),
            abi.encodeCall(market.create, (t, none)),
            abi.encodeCall(market.join, (project, KEY)),
            abi.encodeCall(market.leave, (project)),
            abi.encodeCall(market.start, (project)),
            abi.encodeCall(market.cancel, (project)),
            abi.encodeCall(market.settle, (project)),
            abi.encodeCall(market.release, (project)),
            abi.encodeCall(market.timeout, (project, 2)),
            abi.encodeCall(market.skip, (project, 2, 0)),
            abi.encodeCall(market.undo, (project, new Outcome[](0))),
            abi.encodeCall(market.postResult, (project, result))
        ];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(market), calls[i]);
            market.claim(project, trainers[0]);
            vm.assertEq(token.tries(), 1, "it called back");
            vm.assertTrue(!token.lastSucceeded(), "in vain");
            vm.assertEq(bytes32(token.lastError()), bytes32(REENTRANT), "the lock was taken");
            vm.revertToState(state);
        }
    }

    /// While a bond is on its way from vault to market.
    function testReentrantTokenDuringASlashChangesNothing() external {
        ReentrantToken token = new ReentrantToken();
        uint256 project = _active(address(token));
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        bytes[3] memory calls = [
            abi.encodeCall(market.timeout, (project, 1)),
            abi.encodeCall(vault.withdraw, (address(token))),
            abi.encodeCall(vault.unbond, (address(token), 1))
        ];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(i == 0 ? address(market) : address(vault), calls[i]);
            market.timeout(project, 1);
            vm.assertEq(bytes32(token.lastError()), bytes32(REENTRANT), "the lock was taken");
            vm.assertEq(market.projectOf(project).pot, BOND, "one bond");
            _assertConserved(address(token));
            vm.revertToState(state);
        }
    }

    /// The receiver of a claim goes to the other contract, which is not locked: it finds nothing there that it lacks.
    function testAReceiverThatCrossesIntoTheVaultGainsNothing() external {
        CallingReceiver receiver = new CallingReceiver();
        vm.deal(address(receiver), uint256(REWARD) + 5 ether);
        Permit memory none;
        receiver.act(address(market), REWARD, abi.encodeCall(market.create, (_terms(address(0)), none)));
        receiver.act(address(vault), 5 ether, abi.encodeCall(vault.deposit, (address(0), 5 ether)));
        receiver.act(address(vault), 0, abi.encodeCall(vault.unbond, (address(0), 5 ether)));
        vm.warp(block.timestamp + DELAY);
        receiver.act(address(market), 0, abi.encodeCall(market.cancel, (1)));
        uint256 other = _create(_terms(address(0))); // somebody else's escrow is there to be stolen
        _deposit(address(0), stranger, 9 ether); // and stake
        receiver.aim(address(vault), abi.encodeCall(vault.withdraw, (address(0))));
        market.claim(1, address(receiver));
        vm.assertEq(receiver.tries(), 2, "the claim, and the withdrawal within it");
        vm.assertEq(address(receiver).balance, uint256(REWARD) + 5 ether, "what was its own, once");
        vm.assertEq(market.projectOf(other).escrow, REWARD, "the other escrow stands");
        vm.assertEq(address(market).balance, REWARD, "it is there");
        vm.assertEq(address(vault).balance, 9 ether, "and the stake");
    }

    // Commitments

    /// Who sees a digest or a signature in the mempool can use neither: both are of one trainer.
    function testASeenDigestAndASeenSignatureServeNobodyElse() external {
        uint256 project = _active(address(0));
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        bytes memory signature = _sign(keyOf[trainers[0]], market.relayedHash(project, 1, digest, 0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[1]));
        market.submitSigned(project, 1, 1, trainers[1], digest, 0, signature);
        // Nor can it be sent with another blob, or spoilt in another way.
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[0]));
        market.submitSigned(project, 1, 0, trainers[0], digest, keccak256("rubbish"), signature);
        vm.prank(stranger);
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, signature);
    }

    /// What is public, an update of an earlier round, can be copied: two that are alike are paid once, the first.
    function testACopyOfAPublicUpdateIsPaidNothing() external {
        uint256 project = _active(address(0));
        for (uint256 i = SLOTS; i > 0; --i) _submit(project, i - 1); // slot 5 first, slot 0 last
        _close(project);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 0, 0, 202);
        _setGram(gram, SLOTS, 0, 2, 202); // slot 0 is slot 2's copy
        _setGram(gram, SLOTS, 2, 2, 202);
        _post(project, 0, gram);
        vm.assertEq(_earned(project)[0], 0, "the copy");
        vm.assertGe(_earned(project)[2], 1, "the original");
    }

    // Proofs used where they do not belong

    /// A proof is of commitments, and counts where exactly these were committed. It does replay where all trainers
    /// commit to the very same updates once more: that is their word, it is paid once a round, and no one else's.
    function testAProofReplaysOnlyWhereAllCommitAnew() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        RoundResult memory old = _result(project, 0, _honestGram());
        _postResult(project, old);
        _refused(project, old, abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 1, 2));
        uint256 state = vm.snapshotState();
        for (uint256 i = 1; i < SLOTS; ++i) _submit(project, i);
        _submitAs(project, 0, _digest(_commitment(77), trainers[0])); // one has moved on
        _close(project);
        old.round = 2;
        old.arrivals = _arrivals(project, 0);
        old.before = bytes32(market.projectOf(project).model.x);
        _refused(project, old, abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, 0));
        vm.revertToState(state);
        _submitFirst(project, SLOTS);
        _close(project);
        old.arrivals = _arrivals(project, 0);
        old.before = bytes32(market.projectOf(project).model.x);
        _postResult(project, old);
    }

    function testAProofOfAnotherProjectIsRefused() external {
        uint256 first = _active(address(0));
        (trainers[0], trainers[1]) = (trainers[1], trainers[0]); // other trainers in the same seats
        uint256 second = _active(address(0));
        _submitFirst(first, SLOTS);
        RoundResult memory result = _result(first, 0, _honestGram());
        _submitFirst(second, SLOTS);
        result.arrivals = _arrivals(second, 0);
        _postResult(second, result); // their own points: a digest binds the point to its trainer, which these are
        // But with the first project's arrivals:
        uint256 third = _active(address(0));
        for (uint256 i = 0; i < SLOTS; ++i) _submitAs(third, i, digests[first][0][i]);
        result.arrivals = _arrivals(third, 0);
        _refused(third, result, abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, 0));
    }

    /// The same market at the same address on another chain: what was signed here is worth nothing there.
    function testASignatureIsForOneChain() external {
        uint256 project = _active(address(0));
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        bytes32 here = market.signedHash(project, 1, digest);
        bytes memory signature = _sign(keyOf[trainers[0]], market.relayedHash(project, 1, digest, 0));
        more.chainId(4242);
        vm.assertTrue(market.signedHash(project, 1, digest) != here, "the chain is part of it");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[0]));
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, signature);
    }

    // Malleable and truncated

    function testAMalleableOrTruncatedProofIsRefused() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, 0, _honestGram());
        bytes memory honest = r.proof;
        uint256 length = honest.length;
        r.proof = abi.encodePacked(honest, uint8(0));
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, length + 1, length));
        r.proof = new bytes(length - 1);
        for (uint256 i = 0; i < length - 1; ++i) r.proof[i] = honest[i];
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, length - 1, length));
        r.proof = honest;
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            // y + q is the same number to a careless reader
            uint256 at = 64 * slot + 64;
            uint256 y;
            assembly {
                y := mload(add(honest, at))
                mstore(
                    add(honest, at),
                    add(y, 21888242871839275222246405745257275088696311157297823662689037894645226208583)
                )
            }
            _refused(project, r, abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, slot));
            assembly {
                mstore(add(honest, at), y)
            }
        }
        bytes memory call_ = abi.encodePacked(abi.encodeCall(market.postResult, (project, r)), keccak256("more"));
        vm.assertTrue(_try(address(market), aggregators[0], call_), "what trails the call changes nothing");
        vm.assertTrue(!_try(address(market), aggregators[0], call_), "and it counts once");
    }

    function testAMalleableSignatureIsNone() external {
        uint256 project = _active(address(0));
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[trainers[0]], market.relayedHash(project, 1, digest, 0));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory twin = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? 28 : 27);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[0]));
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, twin);
    }

    function testAnInstancePlusTheModulusIsRefused() external {
        for (uint256 settlement = 0; settlement < 2; ++settlement) {
            Terms memory t = _terms(address(0));
            t.settlement = Settlement(settlement);
            t.duplicateCosine = 0;
            uint256 project = _activeWith(t);
            _submitFirst(project, SLOTS);
            RoundResult memory r = _result(project, 0, _honestGram());
            // Whatever the judge makes of it: it would be another way to write the same number.
            for (uint256 cell = 0; cell < r.gram.length; ++cell) {
                r.gram[cell] += BN254.SCALAR_MODULUS;
                bytes memory data = abi.encodeCall(market.postResult, (project, r));
                vm.assertTrue(!_try(address(market), aggregators[0], data), "not a field element");
                r.gram[cell] -= BN254.SCALAR_MODULUS;
            }
            _postResult(project, r);
        }
    }

    /// x and x sqrt(-1), x and -x sqrt(-1) in rows that are zero elsewhere: honest norms, a model that can be shown, and a
    /// step of 2x. Two trainers and their aggregator can prove it; the product of the two, 2x^2 more, gives them away.
    function testTwoWhosePartsCancelAreRefused() external {
        for (uint256 settlement = 0; settlement < 2; ++settlement) {
            Terms memory t = _terms(address(0));
            t.settlement = Settlement(settlement);
            uint256 project = _activeWith(t);
            _submitFirst(project, SLOTS);
            RoundResult memory r = _result(project, 0, _honestGram());
            uint256 honest = r.gram[1];
            r.gram[1] += 2 * 3_000_000 ** 2;
            _refused(project, r, abi.encodeWithSelector(Krum.FarPair.selector, 0, 1));
            r.gram[1] = honest;
            _postResult(project, r);
        }
    }

    /// The project's circuit decides who verifies; an accepting twin of the same shape is another circuit.
    function testAForeignVerifyingKeyIsNotAsked() external {
        Circuit memory c = toy.circuit(uint8(SLOTS));
        c.verifier = address(new OddVerifier(OddVerifier.Answer.False));
        Terms memory t = _terms(address(0));
        t.circuit = gramVerifier.register(c);
        vm.assertTrue(t.circuit != circuit, "the accepting one is registered, too");
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _refused(
            project,
            _result(project, 0, _honestGram()),
            abi.encodeWithSelector(IGramVerifier.ProofRejected.selector, c.verifier)
        );
        vm.assertEq(market.termsOf(project).circuit, t.circuit, "and nobody can change it");
    }

    // Size and time

    /// Whatever is longer than the rules ask for is refused, at the sender's cost alone.
    function testUnboundedInputIsRefused() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, 0, _honestGram());
        RoundResult memory long = _result(project, 0, _honestGram());
        long.gram = new uint256[](5000);
        _refusedSomehow(project, long);
        long.gram = r.gram;
        long.neighbours = new uint16[](5000);
        _refusedSomehow(project, long);
        long.neighbours = r.neighbours;
        long.proof = new bytes(100_000);
        _refusedSomehow(project, long);
        long.proof = r.proof;
        long.arrivals.order = new bytes(5000);
        long.arrivals.digests = new bytes32[](5000);
        _refusedSomehow(project, long);
        vm.prank(aggregators[0]);
        vm.expectRevert();
        market.complain(project, 1, 0, 1, long.arrivals);
        vm.expectRevert();
        market.undo(project, new Outcome[](500));
        _postResult(project, r);
    }

    /// Each deadline belongs to one side, to the second: what ends before it begins with it.
    function testTimestampsAtTheEdges() external {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        uint256 project = _openWith(t);
        uint256 edge = market.projectOf(project).joinDeadline;
        vm.warp(edge);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, edge, edge));
        market.join(project, KEY);
        market.start(project);
        edge = market.projectOf(project).submitDeadline;
        for (uint256 i = 0; i < 5; ++i) _submit(project, i);
        vm.warp(edge - 1);
        _must(!_tryComplain(project, 0, 1) && !_tryPost(project, 0, _honestGram()), "the window is open");
        vm.warp(edge);
        _must(!_tryHonestSubmit(project, 5), "the window is closed");
        _must(_tryComplain(project, 0, 1), "complaints");
        edge = market.projectOf(project).answerDeadline;
        vm.warp(edge - 1);
        _must(!_tryPost(project, 0, _honestGram()) && !_trySkip(project, 0, stranger), "answers are awaited");
        vm.warp(edge);
        _must(!_tryAnswer(project, 0, 0, trainers[0]), "no longer");
        _must(_trySkip(project, 0, stranger), "four are left");
        for (uint256 i = 0; i < SLOTS; ++i) _submit(project, i);
        edge = market.projectOf(project).resultDeadline;
        vm.warp(edge - 1);
        _must(!_tryTimeout(project, stranger), "in time");
        uint256 state = vm.snapshotState();
        vm.warp(edge);
        _must(!_tryPost(project, 0, _honestGram()) && _tryTimeout(project, stranger), "late");
        vm.revertToState(state);
        _must(_tryPost(project, 0, _honestGram()), "the last second");
        _challengeEdges(project);
    }

    function _challengeEdges(uint256 project) private {
        uint256 edge = market.projectOf(project).challengeDeadline;
        _deposit(address(0), stranger, DEPOSIT);
        vm.warp(edge - 1);
        bytes memory claim = abi.encodeCall(market.claim, (project, trainers[1]));
        _must(!_try(address(market), stranger, claim), "provisional");
        uint256 state = vm.snapshotState();
        vm.warp(edge);
        _must(!_tryChallenge(project, ChallengeKind.Proof, 0, stranger), "final");
        _must(_try(address(market), stranger, claim), "paid");
        vm.revertToState(state);
        _must(_tryChallenge(project, ChallengeKind.Proof, 0, stranger), "the last second");
        edge = market.challengeOf(project).deadline;
        vm.warp(edge - 1);
        _must(!_tryUndo(project, stranger), "an answer is awaited");
        vm.warp(edge);
        _must(!_tryAnswerChallenge(project, aggregators[0]), "no longer");
        _must(_tryUndo(project, stranger), "undone");
    }

    // Amounts

    /// A budget of one unit a round: nobody's share is a whole one, and all of it comes back.
    function testRoundingToZeroLosesNothing() external {
        Terms memory t = _terms(address(0));
        (t.reward, t.aggregatorFee, t.complaintDeposit) = (3, 0, 0);
        (t.trainerStake, t.strikeSlash) = (1, 9999);
        uint256 project = _activeWith(t);
        for (uint256 round = 0; round < 3; ++round) {
            _submitFirst(project, SLOTS);
            _close(project);
            uint256[] memory gram = _honestGram();
            _setGram(gram, SLOTS, 5, 5, 1 << 20); // struck for less than a unit
            _post(project, 0, gram);
        }
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
        for (uint256 i = 0; i < SLOTS; ++i) {
            vm.assertEq(_earned(project)[i], 0, "rounded down");
            vm.assertEq(market.membershipOf(project, trainers[i]).locked, 1, "no unit of stake");
        }
        vm.assertEq(market.claim(project, owner), 3, "the owner's");
        vm.assertEq(address(market).balance, 0, "to the unit");
    }

    function testFuzzExtremeAmountsNeverOverflow(uint96 reward, uint96 stake, uint96 bond, uint16 slash) external {
        Terms memory t = _terms(address(new PlainToken()));
        t.trainerStake = uint96(bound(stake, 0, type(uint96).max / 32));
        t.aggregatorBond = uint96(bound(bond, 0, type(uint96).max / 32));
        t.reward = uint96(bound(reward, 6, type(uint96).max - 24 * uint256(t.aggregatorBond) - SLOTS * t.trainerStake));
        t.aggregatorFee = t.reward / 6;
        t.complaintDeposit = t.aggregatorBond / uint96(2 * SLOTS);
        t.strikeSlash = uint16(bound(slash, 0, 10_000));
        uint256 project = _activeWith(t);
        for (uint256 i = 0; i < SLOTS; ++i) _submit(project, i);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 1, 1, BN254.SCALAR_MODULUS / 2);
        _must(_tryPost(project, 0, gram), "post");
        _assertConserved(t.token);
        address[] memory tokens = new address[](1);
        tokens[0] = t.token;
        _drain(tokens);
    }

    // Parties in league

    /// An owner that is aggregator and most trainers, too, moves its own money in a circle: it gets out what it put in,
    /// less what the honest earned, and nothing of another project's.
    function testASelfDealingOwnerGetsNoMoreThanItPutIn() external {
        uint256 other = _create(_terms(address(0)));
        uint256 project = _active(address(0));
        for (uint256 round = 0; round < 3; ++round) {
            for (uint256 i = 0; i < SLOTS; ++i) _must(_tryHonestSubmit(project, i), "submit");
            _close(project);
            uint256[] memory gram = _honestGram();
            _setGram(gram, SLOTS, 0, 0, 1 << 20); // the honest one is made out to be an outlier
            _must(_tryPost(project, 0, gram), "post");
        }
        _finish(project, stranger, false);
        address[] memory all = _everybody();
        uint256 league = 0;
        for (uint256 i = 0; i < all.length; ++i) if (all[i] != trainers[0]) league += market.claimable(project, all[i]);
        uint256 lost = STAKE - market.membershipOf(project, trainers[0]).locked;
        vm.assertEq(league + market.claimable(project, trainers[0]), uint256(REWARD) + lost, "what went in");
        vm.assertEq(market.projectOf(other).escrow, REWARD, "the other project");
    }

    /// One worker with two identities submits its update twice: the pair earns what one of them does. Updates told
    /// apart are told apart by the work behind them; more than f in league can take a round (docs/security.md).
    function testASybilPairEarnsOnePartOnly() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        _close(project);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 1, 1, 200);
        _setGram(gram, SLOTS, 0, 1, 200); // 1 is 0
        _post(project, 0, gram);
        uint96[] memory earned = _earned(project);
        vm.assertEq(earned[1], 0, "the second identity");
        vm.assertLe(uint256(earned[0]) * 100, uint256(earned[2]) * 135, "no more than its longer shadow in the sum");
    }

    /// Blown up to the bound it is far from all others: not merged, not paid, and struck. A little longer it is paid
    /// for the median's length.
    function testAnUpdateBlownUpToTheNormBoundEarnsNothing() external {
        Terms memory t = _terms(address(0));
        uint256[] memory gram = _honestGram();
        uint256 honest = _paidFor(t, gram)[0];
        for (uint256 j = 1; j < SLOTS; ++j) _setGram(gram, SLOTS, 0, j, 120);
        _setGram(gram, SLOTS, 0, 0, 288); // 1.2 times as long
        vm.assertLe(uint256(_paidFor(t, gram)[0]) * 100, honest * 105, "a fifth longer, at most a twentieth more");
        uint256 factor = 70_000; // 200 * factor^2 is just below 2^40
        for (uint256 j = 1; j < SLOTS; ++j) _setGram(gram, SLOTS, 0, j, 100 * factor);
        _setGram(gram, SLOTS, 0, 0, 200 * factor * factor);
        vm.assertLe(200 * factor * factor, t.maxNormSquared, "within the bound");
        vm.assertEq(_paidFor(t, gram)[0], 0, "nothing");
        vm.assertEq(market.membershipOf(market.projectCount(), trainers[0]).locked, STAKE / 2, "and struck");
    }

    /// An owner whose reference agrees with its own Sybil alone: the Sybil gets the part of the pot that goes by the
    /// reference, and of the rest no more than anybody; the others get the whole rest.
    function testABentReferenceTakesItsShareAtMost() external {
        for (uint256 share = 1000; share <= 9000; share += 4000) {
            Terms memory t = _referenceTerms(address(0));
            t.referenceShare = uint16(share);
            uint256[] memory gram = _honestGram(SLOTS + 1);
            for (uint256 i = 1; i < SLOTS; ++i) _setGram(gram, SLOTS + 1, i, SLOTS, 0);
            uint96[] memory bent = _paidFor(t, gram);
            uint256 pot = REWARD / 3 - FEE;
            uint256 byReference = (pot * share) / 10_000;
            vm.assertGe(bent[0], byReference, "all of the part that goes by it");
            vm.assertLe(bent[0], byReference + (pot - byReference) / 4, "and a trainer's part of the rest");
            uint256 others = 0;
            for (uint256 i = 1; i < SLOTS; ++i) others += bent[i];
            vm.assertGe(others, ((pot - byReference) * 3) / 4, "the rest is the others'");
        }
    }

    // Stake

    /// Who sees the slash coming cannot take its stake away: not before the result, not by leaving, not by unbonding.
    function testNoEscapeFromASlash() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        vm.startPrank(trainers[5]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 5));
        market.leave(project);
        vm.expectRevert();
        vault.unbond(address(0), 1);
        vm.expectRevert();
        market.release(project);
        vm.stopPrank();
        vm.startPrank(aggregators[0]);
        vm.expectRevert();
        market.leave(project);
        vm.expectRevert();
        vault.unbond(address(0), 1);
        vm.stopPrank();
        _close(project);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 5, 5, 1 << 20);
        _post(project, 0, gram);
        vm.assertEq(market.membershipOf(project, trainers[5]).locked, STAKE / 2, "slashed");
    }

    /// The last round is skipped, which opens a window for the reveal: the round before it, final and paid out, must not
    /// be challenged in it, else what was paid is put back into escrow from other projects' money.
    function testAPaidRoundCannotBeUndoneInTheRevealsWindow() external {
        Terms memory t = _referenceTerms(address(0));
        t.rounds = 2;
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        _must(_tryPost(project, 0, _honestGram(SLOTS + 1)), "post");
        vm.warp(market.projectOf(project).challengeDeadline);
        for (uint256 i = 0; i < SLOTS; ++i) {
            if (market.claimable(project, trainers[i]) != 0) market.claim(project, trainers[i]);
        }
        vm.warp(market.projectOf(project).submitDeadline);
        _must(_trySkip(project, 0, stranger), "skip");
        _assertStatus(project, Status.Closing);
        _deposit(address(0), stranger, DEPOSIT);
        vm.assertTrue(!_tryChallenge(project, ChallengeKind.Model, 0, stranger), "what was paid out is final");
        _assertConserved(address(0));
    }

    /// A false G on demand makes honest trainers out to be oversized. Nobody can prove it: the round is undone, and their
    /// stake must be theirs again, else an aggregator slashes whom it likes, and its Sybils share in the pot.
    function testAResultThatIsNotProvedTakesNobodysStake() external {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        uint256[] memory gram = _honestGram();
        for (uint256 i = 0; i < 4; ++i) _setGram(gram, SLOTS, i, i, 1 << 41);
        if (!_tryPost(project, 0, gram)) return; // refused without its proof: as good
        _deposit(address(0), trainers[0], DEPOSIT);
        _must(_tryChallenge(project, ChallengeKind.Proof, 0, trainers[0]), "challenge");
        vm.warp(market.challengeOf(project).deadline);
        _must(_tryUndo(project, stranger), "undo");
        for (uint256 i = 0; i < 4; ++i) {
            uint256 has = market.membershipOf(project, trainers[i]).locked + market.claimable(project, trainers[i]);
            vm.assertGe(has, STAKE, "an honest trainer's stake");
        }
    }

    /// The bond is to be there when it is needed: friends who answer false complaints must not carry it off.
    function testABondIsNotCarriedOffByAnsweredComplaints() external {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        t.complaintDeposit = BOND / uint96(4 * SLOTS);
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) {
            if (_tryComplain(project, 0, 1 << i)) _must(_tryAnswer(project, 0, i, trainers[i]), "a friend answers");
        }
        uint256[] memory lie = _honestGram();
        if (!_tryPost(project, 0, lie)) return; // one without a bond is not heard: as good
        _deposit(address(0), stranger, t.complaintDeposit);
        _must(_tryChallenge(project, ChallengeKind.Proof, 0, stranger), "challenge");
        vm.warp(market.challengeOf(project).deadline);
        _must(_tryUndo(project, stranger), "undo");
        vm.assertGe(vault.freeOf(address(0), stranger), 2 * uint256(t.complaintDeposit), "who was right is paid");
    }

    /// With several cohorts, too, a bond answers for all complaints that are open at once.
    function testABondCoversTheComplaintsOfAllCohorts() external {
        Terms memory t = _terms(address(0));
        (t.trainers, t.cohorts) = (uint32(2 * SLOTS), 2);
        t.complaintDeposit = BOND / uint96(4 * SLOTS);
        while (trainers.length > 2 * SLOTS) trainers.pop();
        uint256 project = _create(t);
        for (uint256 i = 0; i < trainers.length; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        market.start(project);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _must(_tryHonestSubmit(project, seat), "submit");
        _must(_tryComplain(project, 0, 0x3f), "a quarter of the bond");
        if (!_tryComplain(project, 1, 0x3f)) return;
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) {
            uint256 before = vault.freeOf(address(0), _seated(project, seat));
            _must(_tryAnswer(project, seat / SLOTS, seat % SLOTS, stranger), "answer");
            vm.assertEq(vault.freeOf(address(0), _seated(project, seat)), before + t.complaintDeposit, "paid");
        }
    }

    /// As many as it takes withhold their updates in each cohort: an aggregator that has nothing but its bond must be able
    /// to complain about them all, at the highest deposit that terms may have, else they have it slashed.
    function testWithholdersInAllCohortsCannotHaveTheAggregatorSlashed() external {
        Terms memory t = _terms(address(0));
        (t.trainers, t.cohorts) = (uint32(2 * SLOTS), 2);
        while (trainers.length > 2 * SLOTS) trainers.pop();
        vm.deal(owner, t.reward);
        Permit memory none;
        for (uint96 parts = uint96(SLOTS); market.projectCount() == 0; ++parts) {
            t.complaintDeposit = BOND / parts;
            vm.prank(owner);
            try market.create{value: t.reward}(t, none) {} catch {}
        }
        for (uint256 i = 0; i < trainers.length; ++i) _join(1, trainers[i]);
        _joinAsAggregator(1, aggregators[0]);
        market.start(1);
        vm.roll(block.number + 2);
        market.draw(1);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) {
            if (seat % SLOTS < 2) _must(_trySubmit(1, seat, keccak256("nothing")), "a digest of nothing");
            else _must(_tryHonestSubmit(1, seat), "submit");
        }
        _must(_tryComplain(1, 0, 3) && _tryComplain(1, 1, 3), "the bond is enough");
        vm.warp(market.projectOf(1).answerDeadline);
        _must(_trySkip(1, 0, aggregators[0]) && _trySkip(1, 1, aggregators[0]), "no quorum");
        vm.assertEq(market.membershipOf(1, aggregators[0]).locked, BOND, "nothing lost");
    }

    // Helpers

    /// What a first round with this G pays.
    function _paidFor(Terms memory t, uint256[] memory gram) private returns (uint96[] memory) {
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        if (t.scoreRule == ScoreRule.Reference) _submitReference(project);
        _close(project);
        _post(project, 0, gram);
        return _earned(project);
    }

    function _refused(uint256 project, RoundResult memory result, bytes memory error) private {
        vm.prank(aggregators[0]);
        vm.expectRevert(error);
        market.postResult(project, result);
    }

    function _refusedSomehow(uint256 project, RoundResult memory result) private {
        vm.assertTrue(
            !_try(address(market), aggregators[0], abi.encodeCall(market.postResult, (project, result))),
            "refused"
        );
    }
}

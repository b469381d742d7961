// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {ITrainingMarket, Project, RoundResult, Status, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {Points} from "./support/Points.sol";
import {FeeToken, NoReturnToken, PlainToken, ReentrantToken} from "./support/Tokens.sol";

/// @notice Takes coins and calls back into the market or the vault while it does.
contract ReentrantReceiver {
    address public target;
    bytes public data;
    bool public tried;
    bool public succeeded;

    function aim(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    function act(address to, uint256 value, bytes calldata call_) external {
        (bool ok, bytes memory answer) = to.call{value: value}(call_);
        require(ok, string(answer));
    }

    receive() external payable {
        tried = true;
        (succeeded, ) = target.call(data);
    }
}

/// @notice What a hostile party tries, and that it gets nothing by it.
contract AttacksTest is MarketFixture {
    address private constant NATIVE = address(0);

    // Tokens and receivers that call back

    function testReentrantTokenFindsEveryDoorLocked() external {
        ReentrantToken token = new ReentrantToken();
        uint256 project = _active(address(token));
        _playRound(project);
        bytes[6] memory calls = [
            abi.encodeCall(market.claim, (address(token), trainers[0])),
            abi.encodeCall(market.start, (project)),
            abi.encodeCall(market.cancel, (project)),
            abi.encodeCall(market.release, (project)),
            abi.encodeCall(market.timeout, (project, 2)),
            abi.encodeCall(market.skip, (project, 2, 0))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(market), calls[i]);
            market.claim(address(token), i < 5 ? trainers[i] : aggregators[0]);
            vm.assertEq(token.tries(), i + 1, "it called back");
            vm.assertTrue(!token.lastSucceeded(), "in vain");
            vm.assertEq(
                bytes32(token.lastError()),
                bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
                "the lock was taken"
            );
        }
        token.aim(address(0), "");
        _assertConserved(address(token));
    }

    function testReentrantTokenCannotDepositTwiceForOneTransfer() external {
        ReentrantToken token = new ReentrantToken();
        token.mint(stranger, 100);
        token.mint(address(token), 100);
        vm.prank(stranger);
        token.approve(address(vault), 100);
        token.aim(address(vault), abi.encodeCall(vault.deposit, (address(token), 100)));
        vm.prank(stranger);
        vault.deposit(address(token), 100);
        vm.assertTrue(!token.lastSucceeded(), "the second deposit failed");
        vm.assertEq(token.balanceOf(address(vault)), 100, "one transfer");
        vm.assertEq(vault.freeOf(address(token), stranger), 100, "one credit");
    }

    function testReentrantTokenDuringASlashChangesNothing() external {
        ReentrantToken token = new ReentrantToken();
        uint256 project = _active(address(token));
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        token.aim(address(market), abi.encodeCall(market.timeout, (project, 1)));
        market.timeout(project, 1);
        token.aim(address(0), "");
        vm.assertTrue(!token.lastSucceeded(), "in vain");
        vm.assertEq(market.projectOf(project).pot, BOND, "one bond");
        _assertConserved(address(token));
    }

    function testReentrantReceiverIsPaidOnce() external {
        ReentrantReceiver receiver = new ReentrantReceiver();
        Terms memory terms = _terms(NATIVE);
        vm.deal(address(receiver), REWARD);
        receiver.act(address(market), REWARD, abi.encodeCall(market.create, (terms)));
        receiver.act(address(market), 0, abi.encodeCall(market.cancel, (1)));
        receiver.aim(address(market), abi.encodeCall(market.claim, (NATIVE, address(receiver))));
        uint256 other = _create(_terms(NATIVE)); // somebody else's escrow is there to be stolen
        market.claim(NATIVE, address(receiver));
        vm.assertTrue(receiver.tried() && !receiver.succeeded(), "called back in vain");
        vm.assertEq(address(receiver).balance, REWARD, "paid once");
        vm.assertEq(market.projectOf(other).escrow, REWARD, "the other escrow stands");
        _assertConserved(NATIVE);
    }

    function testReentrantWithdrawalIsPaidOnce() external {
        ReentrantReceiver receiver = new ReentrantReceiver();
        vm.deal(address(receiver), 5 ether);
        _deposit(NATIVE, stranger, 5 ether);
        receiver.act(address(vault), 5 ether, abi.encodeCall(vault.deposit, (NATIVE, 5 ether)));
        receiver.act(address(vault), 0, abi.encodeCall(vault.unbond, (NATIVE, 5 ether)));
        vm.warp(block.timestamp + DELAY);
        receiver.aim(address(vault), abi.encodeCall(vault.withdraw, (NATIVE)));
        receiver.act(address(vault), 0, abi.encodeCall(vault.withdraw, (NATIVE)));
        vm.assertTrue(receiver.tried() && !receiver.succeeded(), "called back in vain");
        vm.assertEq(address(receiver).balance, 5 ether, "paid once");
    }

    // Odd tokens

    function testFeeOnTransferIsRefusedForTheReward() external {
        FeeToken token = new FeeToken();
        token.setFee(1);
        _give(address(token), owner, REWARD);
        Terms memory terms = _terms(address(token));
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSignature(
                "UnevenTransfer(address,uint256,uint256)",
                address(token),
                REWARD - REWARD / 100,
                REWARD
            )
        );
        market.create(terms);
    }

    function testAFeeThatStartsLaterNeitherStopsTheRoundNorMakesTheMarketOwe() external {
        FeeToken token = new FeeToken();
        uint256 project = _active(address(token));
        _submitFirst(project, SLOTS);
        token.setFee(50);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        vm.assertEq(market.projectOf(project).pot, BOND / 2, "what arrived");
        token.setFee(0);
        _assertConserved(address(token));
        token.setFee(50);
        uint256[] memory gram = _honestGram();
        _setGram(gram, 0, 0, BN254.SCALAR_MODULUS - 1);
        _post(project, gram, 0);
        _assertConserved(address(token));
    }

    function testATokenWithoutReturnValuesRunsAWholeProject() external {
        address token = address(new NoReturnToken());
        uint256 project = _active(token);
        for (uint256 i = 0; i < 3; ++i) _playRound(project);
        _assertStatus(project, Status.Settled);
        uint256 credit = market.creditOf(token, trainers[0]);
        market.claim(token, trainers[0]);
        vm.assertEq(NoReturnToken(token).balanceOf(trainers[0]), credit, "paid");
        _assertConserved(token);
    }

    // Proofs used where they do not belong

    function testAProofOfAnotherRoundIsRefused() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        RoundResult memory old = _result(project, _honestGram(), 0);
        vm.prank(aggregators[0]);
        market.postResult(project, old);
        // Round 2: slot 0 commits to something else.
        G1 memory other = Points.multiple(77);
        vm.prank(trainers[0]);
        market.submit(project, 2, other.x, other.y, 0);
        for (uint256 i = 1; i < SLOTS; ++i) _submit(project, i);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 1, 2));
        market.postResult(project, old);
        old.round = 2;
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 0));
        market.postResult(project, old);
    }

    function testAProofOfAnotherProjectIsRefused() external {
        uint256 first = _active(NATIVE);
        uint256 second = _active(NATIVE);
        _submitFirst(first, SLOTS);
        RoundResult memory result = _result(first, _honestGram(), 0);
        for (uint256 i = 0; i < SLOTS; ++i) {
            G1 memory c = Points.multiple(50 + i);
            vm.prank(trainers[i]);
            market.submit(second, 1, c.x, c.y, 0);
        }
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 0));
        market.postResult(second, result);
    }

    function testCommitmentsCannotBeSubstitutedSwappedOrLeftOut() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, _honestGram(), 0);
        bytes memory honest = r.proof;
        G1[] memory points = new G1[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) points[i] = _commitment(i);
        points[5] = Points.multiple(1234); // one of the aggregator's own
        r.proof = Points.proof(points, PROOF_LENGTH);
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 5));
        points[5] = zero; // silently absent
        r.proof = Points.proof(points, PROOF_LENGTH);
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 5));
        (points[5], points[0], points[1]) = (_commitment(5), points[1], points[0]);
        r.proof = Points.proof(points, PROOF_LENGTH);
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, 0));
        r.proof = abi.encodePacked(honest, uint8(1));
        _refused(
            project,
            r,
            abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, PROOF_LENGTH + 1, PROOF_LENGTH)
        );
        r.proof = honest;
        r.gram[3] += BN254.SCALAR_MODULUS;
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.NotAFieldElement.selector, 3, r.gram[3]));
        r.gram = new uint256[](22);
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, 22, 21));
    }

    function testTrailingCalldataChangesNothing() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, _honestGram(), 0);
        bytes memory call_ = abi.encodePacked(abi.encodeCall(market.postResult, (project, r)), keccak256("more"));
        vm.prank(aggregators[0]);
        (bool ok, ) = address(market).call(call_);
        vm.assertTrue(ok, "accepted as without it");
        vm.prank(aggregators[0]);
        (ok, ) = address(market).call(call_);
        vm.assertTrue(!ok, "and only once");
    }

    // False claims about G

    function testFalseClaimsAreRefused() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        uint256[] memory gram = _honestGram();
        for (uint256 i = 0; i < SLOTS; ++i) _setGram(gram, i, i, 200 + 20 * i);
        RoundResult memory r = _result(project, gram, 0);
        vm.assertEq(r.merged, 31, "slot 5 is left out");
        r.merged = 62;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMerged.selector, 62));
        r.merged = 63;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMerged.selector, 63));
        r.merged = 15;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMerged.selector, 15));
        r.merged = 31 | (1 << 15);
        _refused(project, r, abi.encodeWithSelector(IGramVerifier.InvalidMerged.selector, r.merged));
        r.merged = 31;
        uint8 median = r.medianScoreSlot;
        r.medianScoreSlot = 5;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMedianScore.selector, 5));
        r.medianScoreSlot = 255;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMedianScore.selector, 255));
        r.medianScoreSlot = median;
        median = r.medianNormSlot;
        r.medianNormSlot = 5;
        _refused(project, r, abi.encodeWithSelector(Krum.WrongMedianNorm.selector, 5));
        r.medianNormSlot = median;
        uint16 named = r.neighbours[0];
        r.neighbours[0] = (1 << 5) | (1 << 4) | (1 << 3);
        _refused(project, r, abi.encodeWithSelector(Krum.WrongNeighbours.selector, 0, r.neighbours[0]));
        r.neighbours[0] = named;
        r.neighbours = new uint16[](5);
        _refused(project, r, abi.encodeWithSelector(Krum.WrongLength.selector, 5, 6));
    }

    function testASubmissionCannotBeReplacedAndAResultNotPostedTwice() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        (bytes31 before, ) = market.submissionOf(project, 1, 0);
        G1 memory other = Points.multiple(77);
        vm.prank(trainers[0]);
        vm.expectRevert();
        market.submit(project, 1, other.x, other.y, 0);
        RoundResult memory r = _result(project, _honestGram(), 0);
        vm.prank(aggregators[0]);
        market.postResult(project, r);
        uint256 credit = market.creditOf(NATIVE, trainers[0]);
        _refused(project, r, abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 1, 2));
        (bytes31 afterwards, ) = market.submissionOf(project, 1, 0);
        vm.assertEq(before, afterwards, "submission");
        vm.assertEq(market.creditOf(NATIVE, trainers[0]), credit, "credit");
    }

    /// A copy commits to the same update as somebody earlier: the later of the two is paid nothing.
    function testACopyIsPaidNothing() external {
        uint256 project = _active(NATIVE);
        for (uint256 i = SLOTS; i > 0; --i) _submit(project, i - 1); // slot 5 first, slot 0 last
        uint256[] memory gram = _honestGram();
        _setGram(gram, 0, 0, 202);
        _setGram(gram, 0, 2, 202); // slot 0 is slot 2's copy
        _setGram(gram, 2, 2, 202);
        RoundResult memory r = _result(project, gram, 0);
        vm.assertEq(r.merged & 5, 5, "both are merged");
        vm.prank(aggregators[0]);
        market.postResult(project, r);
        vm.assertEq(market.creditOf(NATIVE, trainers[0]), 0, "the copy");
        vm.assertTrue(market.creditOf(NATIVE, trainers[2]) > 0, "the original");
    }

    // Amounts

    function testFuzzExtremeAmountsNeverOverflow(uint128 reward, uint128 stake, uint128 bond, uint16 slash) external {
        address token = address(new PlainToken());
        Terms memory t = _terms(token);
        t.reward = uint128(bound(reward, 6, type(uint128).max / 4));
        t.aggregatorFee = t.reward / 6;
        t.trainerStake = uint128(bound(stake, 0, type(uint128).max / 64));
        t.aggregatorBond = uint128(bound(bond, 0, type(uint128).max / 32));
        t.strikeSlash = uint16(bound(slash, 0, 10_000));
        uint256 project = _create(t);
        for (uint256 i = 0; i < SLOTS; ++i) _join(project, trainers[i]);
        for (uint256 i = 0; i < 2; ++i) _joinAsAggregator(project, aggregators[i]);
        market.start(project);
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        uint256[] memory gram = _honestGram();
        _setGram(gram, 1, 1, BN254.SCALAR_MODULUS / 2);
        _post(project, gram, 0);
        _assertConserved(token);
        _playRound(project);
        _playRound(project);
        _assertStatus(project, Status.Settled);
        _assertConserved(token);
    }

    // Helpers

    function _refused(uint256 project, RoundResult memory result, bytes memory error) private {
        vm.prank(aggregators[0]);
        vm.expectRevert(error);
        market.postResult(project, result);
    }
}

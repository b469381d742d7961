// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GramVerifier} from "../../../../contracts/GramVerifier.sol";
import {ReputationRegistry} from "../../../../contracts/ReputationRegistry.sol";
import {StakeVault} from "../../../../contracts/StakeVault.sol";
import {TrainingMarket} from "../../../../contracts/TrainingMarket.sol";
import {Circuit} from "../../../../contracts/interfaces/IGramVerifier.sol";
import {Project, RoundResult, ScoreRule, Status, Terms} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../../contracts/libraries/Krum.sol";
import {AcceptingVerifier} from "./AcceptingVerifier.sol";
import {Points} from "./Points.sol";
import {SlowKrum} from "./SlowKrum.sol";
import {TestBase} from "./TestBase.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice A market with six slots (one fault, quorum five), six trainers, two aggregators, and G made up.
abstract contract MarketFixture is TestBase {
    uint256 internal constant SLOTS = 6;
    uint256 internal constant PROOF_LENGTH = SLOTS * 64 + 32;
    uint256 internal constant DELAY = 7 days;
    uint128 internal constant REWARD = 60 ether;
    uint128 internal constant STAKE = 2 ether;
    uint128 internal constant BOND = 3 ether;
    uint128 internal constant FEE = 1 ether;
    bytes32 internal constant KEY = keccak256("an encryption key");

    TrainingMarket internal market;
    StakeVault internal vault;
    ReputationRegistry internal registry;
    GramVerifier internal gramVerifier;
    SlowKrum internal slow;
    bytes32 internal circuit;
    G1 internal zero;

    address internal owner;
    address internal stranger;
    address[] internal trainers;
    address[] internal aggregators;

    function setUp() public virtual {
        slow = new SlowKrum();
        gramVerifier = new GramVerifier();
        zero = Points.multiple(1000);
        circuit = gramVerifier.register(
            Circuit(address(new AcceptingVerifier()), uint8(SLOTS), 650, uint32(PROOF_LENGTH), zero)
        );
        market = new TrainingMarket(address(gramVerifier), DELAY);
        vault = StakeVault(market.vault());
        registry = ReputationRegistry(market.reputation());
        owner = party("owner");
        stranger = party("stranger");
        for (uint256 i = 0; i < SLOTS; ++i)
            trainers.push(party(string.concat("trainer ", string(abi.encodePacked(bytes1(uint8(48 + i)))))));
        aggregators.push(party("aggregator"));
        aggregators.push(party("reserve aggregator"));
    }

    function _terms(address token) internal view returns (Terms memory) {
        return
            Terms({
                token: token,
                reward: REWARD,
                trainerStake: STAKE,
                aggregatorBond: BOND,
                aggregatorFee: FEE,
                spec: keccak256("a spec"),
                circuit: circuit,
                slots: uint8(SLOTS),
                faults: 1,
                rounds: 3,
                joinWindow: 1 hours,
                submitWindow: 10 minutes,
                resultWindow: 20 minutes,
                scoreRule: ScoreRule.Projection,
                strikeFactor: 300,
                strikeSlash: 5000,
                duplicateCosine: 9990,
                maxNormSquared: 1 << 40,
                initialModel: Points.multiple(7)
            });
    }

    // Steps

    function _give(address token, address account, uint256 amount) internal {
        if (token == address(0)) {
            vm.deal(account, account.balance + amount);
            return;
        }
        PlainToken(token).mint(account, amount);
        vm.startPrank(account);
        _approve(token, address(vault));
        _approve(token, address(market));
        vm.stopPrank();
    }

    /// Low level, for tokens that return nothing.
    function _approve(address token, address spender) private {
        (bool ok, ) = token.call(abi.encodeWithSignature("approve(address,uint256)", spender, type(uint256).max));
        vm.assertTrue(ok, "approve");
    }

    function _deposit(address token, address account, uint256 amount) internal {
        _give(token, account, amount);
        vm.prank(account);
        vault.deposit{value: token == address(0) ? amount : 0}(token, amount);
    }

    function _create(Terms memory terms) internal returns (uint256 project) {
        _give(terms.token, owner, terms.reward);
        vm.prank(owner);
        project = market.create{value: terms.token == address(0) ? terms.reward : 0}(terms);
    }

    function _join(uint256 project, address trainer) internal {
        Terms memory terms = market.termsOf(project);
        if (terms.trainerStake != 0) _deposit(terms.token, trainer, terms.trainerStake);
        vm.prank(trainer);
        market.join(project, KEY);
    }

    function _joinAsAggregator(uint256 project, address aggregator) internal {
        Terms memory terms = market.termsOf(project);
        if (terms.aggregatorBond != 0) _deposit(terms.token, aggregator, terms.aggregatorBond);
        vm.prank(aggregator);
        market.joinAsAggregator(project, KEY, "contact");
    }

    function _open(address token) internal returns (uint256 project) {
        project = _create(_terms(token));
        for (uint256 i = 0; i < SLOTS; ++i) _join(project, trainers[i]);
        for (uint256 i = 0; i < aggregators.length; ++i) _joinAsAggregator(project, aggregators[i]);
    }

    function _active(address token) internal returns (uint256 project) {
        project = _open(token);
        market.start(project);
    }

    function _commitment(uint256 slot) internal view returns (G1 memory) {
        return Points.multiple(slot + 2);
    }

    function _submit(uint256 project, uint256 slot) internal {
        G1 memory c = _commitment(slot);
        uint256 round = market.projectOf(project).round;
        vm.prank(trainers[slot]);
        market.submit(project, round, c.x, c.y, keccak256("a blob"));
    }

    function _submitFirst(uint256 project, uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) _submit(project, i);
    }

    function _close(uint256 project) internal {
        uint256 deadline = market.projectOf(project).submitDeadline;
        if (block.timestamp < deadline) vm.warp(deadline);
    }

    // Results

    /// Honest updates: unit vectors plus a shared direction, so nobody is an outlier.
    function _honestGram() internal pure returns (uint256[] memory gram) {
        gram = new uint256[]((SLOTS * (SLOTS + 1)) / 2);
        uint256 at = 0;
        for (uint256 i = 0; i < SLOTS; ++i) {
            for (uint256 j = i; j < SLOTS; ++j) gram[at++] = i == j ? 200 + i : 100;
        }
    }

    function _setGram(uint256[] memory gram, uint256 i, uint256 j, uint256 value) internal pure {
        gram[i * SLOTS - (i * (i + 1)) / 2 + j] = value;
    }

    /// What an honest aggregator posts for this Gram matrix in the round under way.
    function _result(
        uint256 project,
        uint256[] memory gram,
        uint256 omitted
    ) internal view returns (RoundResult memory result) {
        Project memory p = market.projectOf(project);
        (, Krum.Claims memory claims) = slow.judge(_rules(project), _input(project, gram, omitted));
        result.round = p.round;
        result.omitted = uint16(omitted);
        result.merged = uint16(claims.merged);
        result.medianScoreSlot = uint8(claims.medianScoreSlot);
        result.medianNormSlot = uint8(claims.medianNormSlot);
        result.model = keccak256("a model");
        result.neighbours = claims.neighbours;
        result.gram = gram;
        result.proof = _proof(p.submitted & ~omitted);
    }

    function _rules(uint256 project) internal view returns (Krum.Rules memory) {
        Terms memory t = market.termsOf(project);
        return
            Krum.Rules(
                t.slots,
                t.faults,
                t.maxNormSquared,
                t.scoreRule == ScoreRule.Cosine,
                t.strikeFactor,
                t.duplicateCosine
            );
    }

    function _input(
        uint256 project,
        uint256[] memory gram,
        uint256 omitted
    ) internal view returns (Krum.Input memory input) {
        Project memory p = market.projectOf(project);
        input.submitted = p.submitted;
        input.omitted = omitted;
        input.gram = gram;
        input.positions = new uint256[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) (, input.positions[i]) = market.submissionOf(project, p.round, i);
    }

    function _proof(uint256 present) internal view returns (bytes memory) {
        G1[] memory points = new G1[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) points[i] = (present >> i) & 1 == 1 ? _commitment(i) : zero;
        return Points.proof(points, PROOF_LENGTH);
    }

    function _post(uint256 project, uint256[] memory gram, uint256 omitted) internal {
        RoundResult memory result = _result(project, gram, omitted);
        address aggregator = aggregators[market.projectOf(project).aggregatorIndex];
        vm.prank(aggregator);
        market.postResult(project, result);
    }

    function _playRound(uint256 project) internal {
        _submitFirst(project, SLOTS);
        _post(project, _honestGram(), 0);
    }

    // What must always hold

    function _assertStatus(uint256 project, Status status) internal view {
        vm.assertEq(uint256(market.projectOf(project).status), uint256(status), "status");
    }

    function _everybody() internal view returns (address[] memory all) {
        all = new address[](trainers.length + aggregators.length + 2);
        uint256 n = 0;
        for (uint256 i = 0; i < trainers.length; ++i) all[n++] = trainers[i];
        for (uint256 i = 0; i < aggregators.length; ++i) all[n++] = aggregators[i];
        all[n++] = owner;
        all[n++] = stranger;
    }

    function _balance(address token, address account) internal view returns (uint256) {
        return token == address(0) ? account.balance : PlainToken(token).balanceOf(account);
    }

    /// Conservation: the vault holds what accounts have in it, the market holds escrow, pots and credits, to the unit.
    function _assertConserved(address token) internal view {
        address[] memory all = _everybody();
        uint256 staked = 0;
        uint256 owed = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            (uint256 unbonding, ) = vault.unbondingOf(token, all[i]);
            staked += vault.freeOf(token, all[i]) + vault.lockedOf(token, all[i]) + unbonding;
            owed += market.creditOf(token, all[i]);
        }
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            if (market.termsOf(project).token != token) continue;
            Project memory p = market.projectOf(project);
            owed += uint256(p.escrow) + p.pot;
        }
        vm.assertEq(_balance(token, address(vault)), staked, "vault balance = free + locked + unbonding");
        vm.assertEq(_balance(token, address(market)), owed, "market balance = escrow + pots + credits");
    }
}

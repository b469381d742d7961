// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GramVerifier} from "../../../../contracts/GramVerifier.sol";
import {ReputationRegistry} from "../../../../contracts/ReputationRegistry.sol";
import {RoundJudge} from "../../../../contracts/RoundJudge.sol";
import {StakeVault} from "../../../../contracts/StakeVault.sol";
import {TrainingMarket} from "../../../../contracts/TrainingMarket.sol";
import {
    Arrivals,
    Cohort,
    Outcome,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Status,
    Terms
} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../../contracts/libraries/Krum.sol";
import {Permit} from "../../../../contracts/libraries/Payments.sol";
import {ToyCircuit} from "./ToyCircuit.sol";
import {SlowKrum} from "./SlowKrum.sol";
import {TestBase} from "./TestBase.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice A market with six slots (one fault, quorum five), six trainers, two aggregators, an accepting verifier, and
/// commitments over a toy SRS whose secret is known, so that openings are real. Who submitted what is kept here.
abstract contract MarketFixture is TestBase {
    uint256 internal constant SLOTS = 6;
    uint256 internal constant DELAY = 7 days;
    uint96 internal constant REWARD = 60 ether;
    uint96 internal constant STAKE = 2 ether;
    uint96 internal constant BOND = 3 ether;
    uint96 internal constant FEE = 1 ether;
    uint96 internal constant DEPOSIT = 0.01 ether;
    uint96 internal constant REVEAL_BOND = 4 ether;
    bytes32 internal constant KEY = keccak256("an encryption key");
    bytes32 internal constant VALIDATION = keccak256("validation set");
    bytes32 internal constant SALT = keccak256("salt");

    TrainingMarket internal market;
    StakeVault internal vault;
    ReputationRegistry internal registry;
    GramVerifier internal gramVerifier;
    ToyCircuit internal toy;
    SlowKrum internal slow;
    bytes32 internal circuit; // SLOTS inputs
    bytes32 internal circuitWithReference; // SLOTS + 1

    address internal owner;
    address internal stranger;
    address[] internal trainers;
    address[] internal aggregators;

    /// What arrived in the round under way, by cohort.
    mapping(uint256 project => mapping(uint256 cohort => bytes)) internal orders;
    mapping(uint256 project => mapping(uint256 cohort => bytes32[])) internal digests;
    mapping(uint256 project => uint256 round) internal roundOfArrivals;

    function setUp() public virtual {
        slow = new SlowKrum();
        toy = new ToyCircuit();
        gramVerifier = new GramVerifier();
        circuit = gramVerifier.register(toy.circuit(uint8(SLOTS)));
        circuitWithReference = gramVerifier.register(toy.circuit(uint8(SLOTS + 1)));
        market = new TrainingMarket(address(gramVerifier), address(new RoundJudge()), DELAY);
        vault = StakeVault(market.vault());
        registry = ReputationRegistry(market.reputation());
        owner = party("owner");
        stranger = party("stranger");
        for (uint256 i = 0; i < SLOTS; ++i) trainers.push(_trainerParty(i));
        aggregators.push(party("aggregator"));
        aggregators.push(party("reserve aggregator"));
    }

    function _trainerParty(uint256 i) internal returns (address) {
        return party(string.concat("trainer ", string(abi.encodePacked(bytes1(uint8(65 + i))))));
    }

    function _terms(address token) internal view returns (Terms memory t) {
        t.token = token;
        t.reward = REWARD;
        t.trainerStake = STAKE;
        t.aggregatorBond = BOND;
        t.maxNormSquared = 1 << 40;
        t.aggregatorFee = FEE;
        t.complaintDeposit = DEPOSIT;
        t.slots = uint8(SLOTS);
        t.faults = 1;
        t.cohorts = 1;
        t.rounds = 3;
        t.joinWindow = 1 hours;
        t.submitWindow = 10 minutes;
        t.answerWindow = 5 minutes;
        t.resultWindow = 20 minutes;
        t.challengeWindow = 5 minutes;
        t.trainers = uint32(SLOTS);
        t.strikeFactor = 300;
        t.strikeSlash = 5000;
        t.duplicateCosine = 9990;
        t.spec = keccak256("a spec");
        t.circuit = circuit;
        t.initialModel = toy.commitment(toy.vector(99));
    }

    function _referenceTerms(address token) internal view returns (Terms memory t) {
        t = _terms(token);
        t.scoreRule = ScoreRule.Reference;
        t.referenceShare = 8000;
        t.circuit = circuitWithReference;
        t.revealBond = REVEAL_BOND;
        t.validation = keccak256(abi.encode(VALIDATION, SALT));
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

    function _create(Terms memory t) internal returns (uint256 project) {
        uint256 cost = uint256(t.reward) + t.revealBond;
        _give(t.token, owner, cost);
        Permit memory none;
        vm.prank(owner);
        project = market.create{value: t.token == address(0) ? cost : 0}(t, none);
    }

    function _join(uint256 project, address trainer) internal {
        Terms memory t = market.termsOf(project);
        if (t.trainerStake != 0) _deposit(t.token, trainer, t.trainerStake);
        vm.prank(trainer);
        market.join(project, KEY);
    }

    function _joinAsAggregator(uint256 project, address aggregator) internal {
        Terms memory t = market.termsOf(project);
        if (t.aggregatorBond != 0) _deposit(t.token, aggregator, t.aggregatorBond);
        vm.prank(aggregator);
        market.joinAsAggregator(project, KEY, "contact", new bytes32[](0));
    }

    function _openWith(Terms memory t) internal returns (uint256 project) {
        project = _create(t);
        for (uint256 i = 0; i < trainers.length && i < t.trainers; ++i) _join(project, trainers[i]);
        for (uint256 i = 0; i < aggregators.length; ++i) _joinAsAggregator(project, aggregators[i]);
    }

    function _activeWith(Terms memory t) internal returns (uint256 project) {
        project = _openWith(t);
        market.start(project);
    }

    function _open(address token) internal returns (uint256) {
        return _openWith(_terms(token));
    }

    function _active(address token) internal returns (uint256) {
        return _activeWith(_terms(token));
    }

    // Submissions. The update of a seat in any round is toy.vector(seat).

    function _holder(uint256 project, uint256 seat) internal view returns (address) {
        uint256 number = market.numberOf(project, market.projectOf(project).round, seat);
        return market.trainerOf(project, number).holder;
    }

    function _commitment(uint256 seat) internal view virtual returns (G1 memory) {
        return toy.commitment(toy.vector(seat));
    }

    function _digest(G1 memory c, address holder) internal pure returns (bytes32) {
        return keccak256(abi.encode(c.x, c.y, holder));
    }

    function _submit(uint256 project, uint256 seat) internal {
        _submitAs(project, seat, _digest(_commitment(seat), _holder(project, seat)));
    }

    function _submitAs(uint256 project, uint256 seat, bytes32 digest) internal {
        uint256 round = market.projectOf(project).round;
        vm.prank(_holder(project, seat));
        market.submit(project, round, seat, digest, keccak256("a blob"));
        _note(project, seat / SLOTS, uint8(seat % SLOTS), digest);
    }

    /// Keeps an arrival, so that the preimage of the cohort's chain can be handed in.
    function _note(uint256 project, uint256 cohort, uint8 slot, bytes32 digest) internal {
        uint256 round = market.projectOf(project).round;
        if (roundOfArrivals[project] != round) {
            for (uint256 c = 0; c < 4; ++c) {
                delete orders[project][c];
                delete digests[project][c];
            }
            roundOfArrivals[project] = round;
        }
        orders[project][cohort] = abi.encodePacked(orders[project][cohort], slot);
        if (slot != 0xff) digests[project][cohort].push(digest);
    }

    function _arrivals(uint256 project, uint256 cohort) internal view virtual returns (Arrivals memory arrivals) {
        if (roundOfArrivals[project] != market.projectOf(project).round) return arrivals;
        arrivals.order = orders[project][cohort];
        arrivals.digests = digests[project][cohort];
    }

    function _submitFirst(uint256 project, uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) _submit(project, i);
    }

    function _submitReference(uint256 project) internal {
        uint256 round = market.projectOf(project).round;
        bytes32 digest = _digest(_commitment(SLOTS), owner);
        vm.prank(owner);
        market.submitReference(project, round, digest, keccak256("a blob"));
    }

    function _close(uint256 project) internal {
        uint256 deadline = market.projectOf(project).submitDeadline;
        if (block.timestamp < deadline) vm.warp(deadline);
    }

    // Results

    /// Honest updates: unit vectors plus a shared direction, so nobody is an outlier. `inputs`: SLOTS, or one more for
    /// the reference, which agrees with everybody alike.
    function _honestGram(uint256 inputs) internal pure returns (uint256[] memory gram) {
        gram = new uint256[]((inputs * (inputs + 1)) / 2);
        uint256 at = 0;
        for (uint256 i = 0; i < inputs; ++i) {
            for (uint256 j = i; j < inputs; ++j) gram[at++] = i == j ? 200 + i : 100;
        }
    }

    function _honestGram() internal pure returns (uint256[] memory gram) {
        return _honestGram(SLOTS);
    }

    function _setGram(uint256[] memory gram, uint256 inputs, uint256 i, uint256 j, uint256 value) internal pure {
        gram[i * inputs - (i * (i + 1)) / 2 + j] = value;
    }

    /// What an honest aggregator posts for this Gram matrix in the round under way.
    function _result(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view returns (RoundResult memory result) {
        Project memory p = market.projectOf(project);
        Krum.Input memory input = _input(project, cohort, gram);
        (, Krum.Claims memory claims) = slow.judge(_rules(project), input);
        result.round = p.round;
        result.cohort = uint8(cohort);
        result.merged = uint16(claims.merged);
        result.medianScoreSlot = uint8(claims.medianScoreSlot);
        result.medianNormSlot = uint8(claims.medianNormSlot);
        result.model = keccak256("a model");
        result.before = bytes32(p.model.x);
        result.neighbours = claims.neighbours;
        result.gram = gram;
        result.arrivals = _arrivals(project, cohort);
        result.proof = _proof(project, cohort, input);
    }

    function _rules(uint256 project) internal view returns (Krum.Rules memory rules) {
        Terms memory t = market.termsOf(project);
        rules.slots = t.slots;
        rules.faults = t.faults;
        rules.maxNormSquared = t.maxNormSquared;
        rules.hasReference = t.scoreRule == ScoreRule.Reference;
        rules.rule = rules.hasReference ? t.fallbackRule : t.scoreRule;
        rules.strikeFactor = t.strikeFactor;
        rules.duplicateCosine = t.duplicateCosine;
    }

    function _input(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view virtual returns (Krum.Input memory input) {
        Project memory p = market.projectOf(project);
        Cohort memory c = market.cohortOf(project, cohort);
        input.submitted = uint256(c.submitted & ~c.complained);
        input.referencePresent = p.referenceRound == p.round && (uint256(c.complained) >> SLOTS) & 1 == 0;
        input.gram = gram;
        input.positions = new uint256[](SLOTS);
        bytes memory order = orders[project][cohort];
        for (uint256 i = 0; i < order.length; ++i) {
            if (uint8(order[i]) < SLOTS) input.positions[uint8(order[i])] = i + 1;
        }
    }

    function _proof(
        uint256 project,
        uint256 cohort,
        Krum.Input memory input
    ) internal view virtual returns (bytes memory) {
        Terms memory t = market.termsOf(project);
        uint256 inputs = t.scoreRule == ScoreRule.Reference ? SLOTS + 1 : SLOTS;
        uint256 present = input.submitted | (input.referencePresent ? 1 << SLOTS : 0);
        bytes memory points;
        for (uint256 i = 0; i < inputs; ++i) {
            bool here = (present >> i) & 1 == 1;
            G1 memory point = here ? _commitment(i == SLOTS ? SLOTS : cohort * SLOTS + i) : toy.zero();
            points = abi.encodePacked(points, point.x, point.y);
        }
        if (t.settlement == Settlement.OnDemand) return points;
        return abi.encodePacked(points, new bytes(32));
    }

    function _current(uint256 project) internal view returns (address) {
        return aggregators[market.projectOf(project).aggregatorIndex];
    }

    function _postResult(uint256 project, RoundResult memory result) internal {
        vm.prank(_current(project));
        market.postResult(project, result);
    }

    function _post(uint256 project, uint256 cohort, uint256[] memory gram) internal {
        _postResult(project, _result(project, cohort, gram));
    }

    function _playRound(uint256 project) internal {
        _submitFirst(project, SLOTS);
        _close(project);
        _post(project, 0, _honestGram());
    }

    /// Plays all rounds and settles.
    function _playOut(uint256 project) internal {
        while (market.projectOf(project).status == Status.Active) _playRound(project);
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
    }

    /// The preimage of the previous round's outcome, of one cohort, from the state before its result.
    function _outcome(
        Project memory before,
        RoundResult memory result,
        uint96 slashed,
        uint96 fee,
        uint96[] memory bySlot
    ) internal view returns (Outcome[] memory outcomes) {
        outcomes = new Outcome[](1);
        Outcome memory o = outcomes[0];
        o.round = result.round;
        o.cohort = result.cohort;
        o.aggregatorIndex = before.aggregatorIndex;
        o.fee = fee;
        o.escrow = before.escrow;
        o.pot = before.pot;
        o.slashed = slashed;
        o.model = before.model;
        uint256 paid = 0;
        for (uint256 i = 0; i < bySlot.length; ++i) if (bySlot[i] != 0) ++paid;
        o.numbers = new uint32[](paid);
        o.amounts = new uint96[](paid);
        paid = 0;
        for (uint256 i = 0; i < bySlot.length; ++i) {
            if (bySlot[i] == 0) continue;
            o.numbers[paid] = uint32(i);
            o.amounts[paid++] = bySlot[i];
        }
    }

    /// What numbers 0 .. SLOTS - 1 have earned in all.
    function _earned(uint256 project) internal view returns (uint96[] memory bySlot) {
        bySlot = new uint96[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) bySlot[i] = market.trainerOf(project, i).earned;
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

    /// Conservation: the vault holds what accounts have in it; the market holds escrow, pots, what was earned and not
    /// claimed, owners' credits and reveal bonds, to the unit.
    function _assertConserved(address token) internal view {
        address[] memory all = _everybody();
        uint256 staked = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            (uint256 unbonding, ) = vault.unbondingOf(token, all[i]);
            staked += vault.freeOf(token, all[i]) + vault.lockedOf(token, all[i]) + unbonding;
        }
        uint256 owed = 0;
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            if (market.termsOf(project).token == token) owed += _owed(project);
        }
        vm.assertEq(_balance(token, address(vault)), staked, "vault balance = free + locked + unbonding");
        vm.assertEq(_balance(token, address(market)), owed, "market balance = what it owes");
    }

    /// What the market holds for a project. A reveal bond is nobody's until the project ends or its set is revealed.
    function _owed(uint256 project) internal view returns (uint256 owed) {
        Project memory p = market.projectOf(project);
        owed = uint256(p.escrow) + p.pot;
        bool ended = p.status == Status.Settled || p.status == Status.Halted || p.status == Status.Cancelled;
        if (!p.revealed && !ended) owed += market.termsOf(project).revealBond;
        address[] memory all = _everybody();
        for (uint256 i = 0; i < all.length; ++i) owed += market.claimable(project, all[i]);
    }
}

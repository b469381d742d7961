// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1} from "../libraries/BN254.sol";
import {Permit} from "../libraries/Payments.sol";
import {
    ChunkFacts,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchResult,
    SketchStatement,
    UpdateChunk
} from "./ISketch.sol";

enum Status {
    None,
    Open,
    Drawing, // trainers outnumber the seats: the seed's block is awaited
    Active,
    Closing, // the last round is over, its challenge window is not
    Settled,
    Cancelled,
    Halted
}

enum ScoreRule {
    Projection,
    Cosine,
    Reference
}

enum Settlement {
    Proved, // a proof with every result
    OnDemand // a result stands unless somebody demands its proof in the challenge window
}

/// @notice What an owner fixes when it posts a project. Nothing in it can change afterwards.
/// @dev In this order one result reads two words of the first four (and `circuit`), a submission one, a claim one.
struct Terms {
    address token; // address(0): native coin
    uint96 complaintDeposit; // what the wrong side of a complaint or challenge pays the right one
    uint96 reward; // whole escrow, the aggregators' fees included
    uint96 aggregatorFee; // for each cohort's result
    uint16 rounds; // T
    uint8 slots; // K
    uint8 faults; // f
    uint8 cohorts; // of a round, at most
    Settlement settlement;
    ScoreRule scoreRule;
    ScoreRule fallbackRule; // with Reference: for the rest of the pot, and where no reference was posted
    uint64 maxNormSquared; // N_max
    uint32 batchWindow; // seconds, for the aggregator's batch, from the round's opening; 0: no batches
    uint32 submitWindow; // for transactions, from the round's opening
    uint32 resultWindow;
    uint32 challengeWindow; // for challenges of a round's results, from its end
    uint16 strikeFactor; // hundredths of the median Krum score; 0: no strikes by score
    uint16 strikeSlash; // basis points of the trainer's stake
    uint16 duplicateCosine; // basis points; 0: no near-duplicate rule
    uint16 referenceShare; // with Reference: basis points of a pot paid by it, the rest by fallbackRule
    uint96 trainerStake;
    uint96 aggregatorBond;
    uint32 trainers; // N: places for trainers
    uint32 minReputation; // what a trainer's score must be at least; 0: anyone
    uint96 revealBond; // with Reference: lost unless the validation set is revealed
    uint32 joinWindow;
    uint32 answerWindow; // for complaints, and for answers to them
    uint32 chunks; // J: the sketch path; 0: the exact path
    uint32 chunkLength; // n, numbers of a chunk
    bytes32 spec; // sha2-256 digest of the spec's CIDv0
    bytes32 circuit; // digest in the GramVerifier
    bytes32 validation; // with Reference: keccak256(digest of the validation set's CIDv0, salt)
    bytes32 aggregators; // Merkle root of the addresses that may aggregate; 0: anyone
    G1 initialModel; // M_0; on the sketch path (root, chunks)
}

/// @notice A project's state. Times are block timestamps in seconds.
/// @dev What a round's calls need is in the first three words.
struct Project {
    address owner;
    Status status;
    uint16 round; // the round under way, from 1; 0 before the start
    uint16 lastRound; // T, and one more for each round that was undone
    uint8 aggregatorIndex; // the current aggregator
    uint8 aggregatorCount;
    uint8 cohorts; // of a round, fixed at the start
    uint8 openCohorts; // of this round, without a result or a skip so far
    bool drawn; // seats are drawn by the seed; else trainer i has seat i
    bool revealed; // the validation set
    bool challenged; // a challenge of the previous round is open
    uint40 submitDeadline;
    uint40 turnStart; // of the current aggregator, in this round
    uint40 answerDeadline; // of the open complaints; in the past: none is open
    uint40 resultDeadline;
    uint40 challengeDeadline; // of the previous round's results
    uint16 referenceRound; // the round that `referenceDigest` is for
    uint32 drawnFrom; // trainers at the start; their numbers are below it
    bool sketched; // the terms have chunks
    uint16 outcomeRound; // the round that `outcome` is of
    uint8 outcomeIndex; // the aggregator of its last link
    uint96 escrow; // of the reward, not yet earned
    uint96 pot; // slashed in this round, not yet earned
    uint32 trainerCount; // those who have not left
    uint40 joinDeadline;
    uint96 bonus; // of a forfeited reveal bond, for each trainer that has not left
    uint16 seedRound; // the round that `sketchSeed` is for
    G1 model; // commitment of the current global model; on the sketch path (root, chunks)
    bytes32 seed; // before the draw: the number of the block whose hash it will be
    bytes32 sketchSeed;
    bytes32 referenceDigest; // digest of the owner's reference update
    bytes32 outcome; // chain of hashes of a round's outcomes, so that it can be undone
    uint96 ownerCredit; // what the owner may claim
}

/// @notice A cohort's round.
struct Cohort {
    uint16 round; // that the rest is about
    uint16 submitted; // masks of slots: by transaction
    uint16 batched; // under the aggregator's root
    uint16 complained; // and not answered yet
    uint16 answered;
    bool concluded;
    uint8 batchIndex; // the aggregator that posted the batch
    bytes32 chain; // hash of the arrivals in their order
    bytes32 batchRoot;
}

/// @notice A trainer's or an aggregator's account in a project.
struct Account {
    address holder;
    uint96 earned; // in all
}

/// @notice An address's part in a project.
struct Member {
    uint32 number; // of the trainer, + 1; 0: no trainer
    uint8 index; // of the aggregator, + 1; 0: no aggregator
    bool left;
    uint96 locked; // in the vault, for this project
    uint96 claimed; // of what it earned
}

/// @notice What a cohort's round received, in the order of arrival: preimage of `Cohort.chain`.
struct Arrivals {
    bytes order; // a byte each: the slot of a transaction, 0xff for the batch
    bytes32[] digests; // of the transactions, in that order
    bytes32[] batch; // digests under the root, by slot; empty: a stand-in that has no list leaves them out
    bytes[] signatures; // by slot, of the same
}

/// @notice The result of a cohort's round, as its aggregator posts it.
struct RoundResult {
    uint16 round;
    uint8 cohort;
    uint16 merged;
    uint8 medianScoreSlot; // a slot whose Krum score is the median
    uint8 medianNormSlot; // a slot whose norm is the median
    bytes32 model; // sha2-256 digest of the new model's CIDv0
    bytes32 before; // x of M as it was made on, sketch path: the root; a reorganisation may put it on another
    uint16[] neighbours; // by slot: the n - f - 2 nearest present slots; 0 for a slot that is not present
    uint256[] gram; // upper triangle, field elements
    Arrivals arrivals;
    bytes proof; // OnDemand: its first 64 bytes a slot, the commitments
}

/// @notice What a result changed, so that it can be undone: preimage of a link of `Project.outcome`.
struct Outcome {
    uint16 round;
    uint8 cohort;
    uint8 aggregatorIndex;
    uint96 fee;
    uint96 escrow; // before
    uint96 pot; // before
    uint96 slashed; // of the struck
    G1 model; // before
    bytes32 statement; // OnDemand: keccak256(commitments, gram); on the sketch path of its SketchStatement
    uint32[] numbers; // of the trainers paid
    uint96[] amounts;
}

enum ChallengeKind {
    None,
    Model, // "I cannot fetch the model, or it is not what M commits to"
    Proof, // "prove this result"
    Chunk, // sketch path: "show this chunk of the new model"
    Sketch // "that is not the commitment of the sketch"
}

/// @notice An open challenge of the previous round.
struct Challenge {
    ChallengeKind kind;
    address challenger;
    uint40 deadline; // for the answer
    uint8 accused; // index of the aggregator
    uint16 round; // that `answered` is about
    uint16 answered; // in that round: bit 0 Model, bit 1 + c Proof of cohort c
    bytes32 statement; // that the proof must show; keccak256 of the facts for Chunk and Sketch
}

/// @notice A vector and the KZG opening that ties it to a commitment.
struct Opening {
    bytes packed; // little-endian int16 (an update) or int32 (a model), exactly d of them
    G1 proof;
}

/// @title Projects, rounds, escrow and earnings: the market's state machine (docs/protocol.md)
interface ITrainingMarket {
    /// @notice A project is open; its whole reward is in escrow.
    event ProjectCreated(
        uint256 indexed project,
        address indexed owner,
        bytes32 indexed circuit,
        bytes32 spec,
        address token,
        uint256 reward
    );
    /// @notice A trainer joined; `encryptionKey` is its X25519 public key.
    event TrainerJoined(uint256 indexed project, address indexed trainer, uint256 number, bytes32 encryptionKey);
    /// @notice A trainer left; its stake is free. While Open the trainer with the last number takes over `number`.
    event TrainerLeft(uint256 indexed project, address indexed trainer, uint256 number);
    /// @notice An aggregator was appended to the list. `contact`: addresses of its storage node, at most 256 bytes.
    event AggregatorJoined(
        uint256 indexed project,
        address indexed aggregator,
        uint256 index,
        bytes32 encryptionKey,
        bytes contact
    );
    /// @notice An aggregator left the list; those after `index` moved up by one.
    event AggregatorLeft(uint256 indexed project, address indexed aggregator, uint256 index);
    /// @notice Seats will be drawn by the hash of block `seedBlock`.
    event DrawScheduled(uint256 indexed project, uint256 seedBlock);
    /// @notice The project is active. `seed` 0: nothing is drawn, trainer i has seat i.
    event ProjectStarted(uint256 indexed project, uint256 trainers, uint256 cohorts, bytes32 seed);
    /// @notice A round's submissions are open. Deadlines move as docs/protocol.md says.
    event RoundOpened(uint256 indexed project, uint256 indexed round, uint256 submitDeadline, uint256 resultDeadline);
    /// @notice A trainer's digest of its commitment, and of the sealed update's CIDv0.
    event UpdateSubmitted(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 cohort,
        uint256 slot,
        bytes32 digest,
        bytes32 blob
    );
    /// @notice The owner's digest of its reference update, and of its sealed blob.
    event ReferenceSubmitted(uint256 indexed project, uint256 indexed round, bytes32 digest, bytes32 blob);
    /// @notice The aggregator's batch: mask of slots, the root over their signed digests, the list's CIDv0 digest.
    event BatchPosted(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 aggregatorIndex,
        uint256 slots,
        bytes32 root,
        bytes32 list
    );
    /// @notice An update's key, sealed to the aggregator that took over (80 bytes).
    event KeyResealed(
        uint256 indexed project,
        uint256 indexed round,
        address indexed sender,
        uint256 aggregatorIndex,
        bytes sealedKey
    );
    /// @notice The aggregator cannot open the updates of `slots` (bit K: the reference). Answers until `deadline`.
    event UpdatesComplained(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 slots,
        uint256 deadline
    );
    /// @notice A complaint was answered: the update is `packed`, its commitment (x, y).
    event UpdateAnswered(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 slot,
        uint256 x,
        uint256 y,
        bytes packed
    );
    /// @notice Sketch path: the round's sketches are drawn by `seed`.
    event SketchDrawn(uint256 indexed project, uint256 indexed round, bytes32 seed);
    /// @notice Sketch path: which chunk of each slot's update an answer must show, by ascending slots.
    event ChunksComplained(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 slots,
        uint32[] chunks
    );
    /// @notice A complaint was answered: that chunk of the update with this root is `packed`, its point (x, y).
    event UpdateChunkAnswered(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 slot,
        uint256 chunk,
        bytes32 root,
        uint256 x,
        uint256 y,
        bytes packed
    );
    /// @notice A complaint was not answered: the slot's submission counts as never made.
    event UpdateWithheld(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 cohort,
        uint256 slot,
        uint256 paid
    );
    /// @notice A cohort's result was accepted. Masks of slots; `escrow` and `pot` before it; `amounts` by slot; (x, y)
    /// is the new model's commitment, `model` its CID's digest.
    event ResultPosted(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 cohort,
        uint256 present,
        uint256 merged,
        uint256 struck,
        uint256 fee,
        uint256 escrow,
        uint256 pot,
        bytes32 model,
        uint256 x,
        uint256 y,
        uint96[] amounts
    );
    /// @notice On demand, with ResultPosted, off the sketch path: what a proof of it would have to show (Outcome).
    /// @dev A challenge hands it in, and whoever posts through a contract could hide the call.
    event ResultStated(uint256 indexed project, uint256 indexed round, uint256 indexed cohort, bytes32 statement);
    /// @notice Sketch path, with ResultPosted: mask of inputs left out without blame, and what the result states.
    /// @dev In full: a challenge quotes it. As with ResultStated.
    event SketchResultPosted(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 leftOut,
        SketchStatement statement
    );
    /// @notice A trainer was struck; `slashed` of its stake went to the round's pot.
    event TrainerStruck(uint256 indexed project, uint256 indexed round, address indexed trainer, uint256 slashed);
    /// @notice The aggregator let its deadline pass; its bond went to the pot. `resultDeadline` is the next one's, 0
    /// if none is left.
    event AggregatorTimedOut(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 slashed,
        uint256 resultDeadline
    );
    /// @notice A cohort's round ended without a result.
    event RoundSkipped(uint256 indexed project, uint256 indexed round, uint256 indexed cohort);
    /// @notice All cohorts of a round are concluded; its results can be challenged until `challengeDeadline`.
    event RoundClosed(uint256 indexed project, uint256 indexed round, uint256 challengeDeadline);
    /// @notice The previous round was challenged; `cohort` counts for `ChallengeKind.Proof` only.
    event Challenged(
        uint256 indexed project,
        uint256 indexed round,
        address indexed challenger,
        ChallengeKind kind,
        uint256 cohort,
        uint256 deadline
    );
    /// @notice The challenge was answered; the model's bytes, if it was about the model.
    event ChallengeAnswered(uint256 indexed project, uint256 indexed round, ChallengeKind kind, bytes packed);
    /// @notice With Challenged: what a challenge of a chunk is about.
    event ChunkQuestioned(uint256 indexed project, uint256 indexed round, uint256 indexed cohort, ChunkFacts facts);
    /// @notice With Challenged: what a challenge of a sketch is about.
    event SketchQuestioned(uint256 indexed project, uint256 indexed round, SketchFacts facts);
    /// @notice With ChallengeAnswered: the chunk of the new model, its point (x, y).
    event ChunkShown(
        uint256 indexed project,
        uint256 indexed round,
        uint256 indexed cohort,
        uint256 chunk,
        uint256 x,
        uint256 y,
        bytes packed
    );
    /// @notice A challenge of a sketch has an answer, which may be refuted until `deadline`: the chunks' values at z.
    event SketchAnswered(uint256 indexed project, uint256 indexed round, uint256 deadline, uint256[] values);
    /// @notice That answer counts as not given: the chunk's value is `value`.
    event SketchRefuted(uint256 indexed project, uint256 indexed round, uint256 chunk, uint256 given, uint256 value);
    /// @notice The challenge was not answered: the round is undone, its aggregator lost its bond.
    event RoundUndone(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 slashed,
        uint256 x,
        uint256 y
    );
    /// @notice The validation set's CIDv0 digest, as the owner committed to it.
    event ValidationRevealed(uint256 indexed project, bytes32 validation, bytes32 salt);
    /// @notice The project reached `status`; the owner may claim `refund`.
    event ProjectEnded(uint256 indexed project, Status status, uint256 refund);
    /// @notice Stake or bond of an ended project became free in the vault.
    event Released(uint256 indexed project, address indexed account, uint256 amount);
    /// @notice Earnings or a refund were paid out; less than `amount`, in proportion, of a token that shrank by itself.
    event Claimed(uint256 indexed project, address indexed account, uint256 amount);

    /// @notice A term is out of range; `term` is its name, or what is wrong with it.
    error InvalidTerms(bytes32 term, uint256 value);
    /// @notice The project is not in a state that allows this.
    error WrongStatus(uint256 project, Status status);
    /// @notice Another round is under way.
    error WrongRound(uint256 given, uint256 current);
    /// @notice The round has no such cohort, or it is concluded.
    error WrongCohort(uint256 cohort, uint256 cohorts);
    /// @notice The deadline is over.
    error DeadlinePassed(uint256 deadline, uint256 time);
    /// @notice It is too early.
    error TooEarly(uint256 opens, uint256 time);
    /// @notice The account already has, or had, a part in this project.
    error AlreadyMember(uint256 project, address account);
    /// @notice The account has no such part in this project.
    error NotMember(uint256 project, address account);
    /// @notice Only the project's owner may do this.
    error NotOwner(uint256 project, address account);
    /// @notice All places are taken.
    error Full(uint256 project, uint256 places);
    /// @notice The trainer's reputation is below the project's floor.
    error ReputationTooLow(address account, uint256 score, uint256 needed);
    /// @notice The project's list of aggregators does not have this address.
    error NotListed(uint256 project, address account);
    /// @notice Neither the owner while Open, nor anyone while `start` is impossible.
    error CannotCancel(uint256 project, address caller);
    /// @notice Too few trainers or no aggregator.
    error CannotStart(uint256 trainers, uint256 needed, uint256 aggregators);
    /// @notice The seat is another trainer's in this round.
    error NotYourSeat(uint256 seat, address account);
    /// @notice The slot, or the owner, has submitted in this round.
    error AlreadySubmitted(uint256 slot);
    /// @notice The slot has not submitted in this round.
    error NotSubmitted(uint256 slot);
    /// @notice A digest of 0 names nothing.
    error InvalidDigest();
    /// @notice The signature is not the trainer's, for this round.
    error NotSigned(address trainer);
    /// @notice The project takes no batches, or one is posted, or its mask is empty or out of range.
    error InvalidBatch(uint256 slots);
    /// @notice The arrivals are not those of this cohort's round.
    error WrongArrivals(bytes32 chain, bytes32 expected);
    /// @notice The result was made on another model: x of its commitment, sketch path: its root.
    error WrongModel(bytes32 before, bytes32 expected);
    /// @notice The result's sketches are drawn by another seed.
    error WrongSeed(bytes32 seed, bytes32 expected);
    /// @notice The commitment is not a point on the curve.
    error NotOnCurve(uint256 x, uint256 y);
    /// @notice The commitment is not the one that was submitted.
    error DigestMismatch(uint256 slot);
    /// @notice The vector is not the one behind the commitment, or is out of the norm bound.
    error OpeningRejected();
    /// @notice Bytes of a wrong length.
    error InvalidLength(uint256 length, uint256 expected);
    /// @notice It is another aggregator's turn.
    error NotCurrentAggregator(address caller, address current);
    /// @notice The slots of a complaint are empty, not submitted, or were complained about already.
    error InvalidComplaint(uint256 slots);
    /// @notice No complaint about this slot, or no such challenge, is open.
    error NothingToAnswer(uint256 slot);
    /// @notice The round cannot be challenged so: its window is over, it was answered, or a challenge is open.
    error CannotChallenge(uint256 project);
    /// @notice A challenge is open.
    error ChallengeOpen(uint256 project);
    /// @notice The call is for projects on the other path: exact or sketch.
    error WrongPath(uint256 project);
    /// @notice The round's sketches are drawn already.
    error AlreadyDrawn(uint256 project, uint256 round);
    /// @notice The round's sketches are not drawn yet.
    error NotDrawn(uint256 project, uint256 round);
    /// @notice The vector has no such chunk.
    error WrongChunk(uint256 chunk, uint256 chunks);
    /// @notice The leaf is not under this root, at its chunk's place.
    error NotUnderRoot(bytes32 computed, bytes32 root);
    /// @notice Inputs can be left out only after a complaint about them was answered.
    error InvalidLeftOut(uint256 inputs);
    /// @notice Nothing was merged, so the model is the one before.
    error ModelMoved(bytes32 root, bytes32 before);
    /// @notice Statements, facts or values are not those that were stated, asked or answered.
    error WrongFacts(bytes32 given, bytes32 expected);
    /// @notice Only the aggregator that is challenged answers for a sketch: it loses its bond for a false answer.
    error NotAccused(address caller, address accused);
    /// @notice The challenge has an answer, which nobody has refuted.
    error AnswerStands(uint256 project);
    /// @notice The value is the chunk's.
    error NotRefuted(uint256 chunk, uint256 value);
    /// @notice The outcomes are not those of the challenged round.
    error WrongOutcomes(bytes32 chain, bytes32 expected);
    /// @notice Enough updates for a result: the round cannot be skipped.
    error QuorumReached(uint256 updates, uint256 quorum);
    /// @notice Too few updates for a result: the round is to be skipped.
    error QuorumMissed(uint256 updates, uint256 quorum);
    /// @notice The account has nothing locked here.
    error NothingToRelease(uint256 project, address account);
    /// @notice The account has earned nothing here that it has not claimed.
    error NothingToClaim(uint256 project, address account);
    /// @notice This is not the validation set that the terms commit to.
    error NotTheValidationSet();
    /// @notice Native coin comes from the vault or with `create`, never alone.
    error UnexpectedPayment(address sender, uint256 amount);
    /// @notice The unbonding delay is 0 or beyond 30 days.
    error InvalidUnbondingDelay(uint256 delay);
    /// @notice The address has no code.
    error NoCode(address part);

    /// @notice Posts a project and escrows reward and reveal bond. Who joins checks `spec` against the terms.
    /// @param permit EIP-2612 approval of an ERC-20; `permit.deadline` 0: none.
    /// @return project Its number, from 1.
    function create(Terms calldata terms, Permit calldata permit) external payable returns (uint256 project);

    /// @notice Takes the next place and locks the stake in the vault. Open, before the join deadline.
    function join(uint256 project, bytes32 encryptionKey) external;

    /// @notice Locks the bond and appends the caller to the list of aggregators. Open before the join deadline, or
    /// Active.
    /// @param listed Merkle proof that the terms' list has the caller; empty where there is no list.
    function joinAsAggregator(
        uint256 project,
        bytes32 encryptionKey,
        bytes calldata contact,
        bytes32[] calldata listed
    ) external;

    /// @notice Leaves with the whole stake or bond: anyone while Open; while Active a trainer without a submission in
    /// this round, and a reserve aggregator.
    function leave(uint256 project) external;

    /// @notice Ends an Open project with a full refund: its owner at any time, anyone once it can no longer start.
    function cancel(uint256 project) external;

    /// @notice Opens round 1, or schedules the draw where trainers outnumber the seats: with an aggregator and all
    /// places taken, or a quorum of trainers after the join deadline.
    function start(uint256 project) external;

    /// @notice Draws the seed and opens round 1; where the block's hash is out of reach, schedules the draw anew.
    function draw(uint256 project) external;

    /// @notice Commits to an update; once a round. The last awaited submission closes the window.
    /// @param seat cohort * K + slot.
    /// @param digest keccak256(abi.encode(x, y, trainer)) of the commitment (x, y): it stays hidden until the
    /// window has closed, so that nobody can copy it.
    /// @param blob sha2-256 digest of the sealed update's CIDv0.
    function submit(uint256 project, uint256 round, uint256 seat, bytes32 digest, bytes32 blob) external;

    /// @notice `submit` of a trainer that has signed `relayedHash`, sent by anybody: for wallets that are contracts
    /// (ERC-1271), and for trainers whose gas somebody else pays.
    function submitSigned(
        uint256 project,
        uint256 round,
        uint256 seat,
        address trainer,
        bytes32 digest,
        bytes32 blob,
        bytes calldata signature
    ) external;

    /// @notice The owner's reference update of a round, likewise; before the submit deadline.
    function submitReference(uint256 project, uint256 round, bytes32 digest, bytes32 blob) external;

    /// @notice The current aggregator's batch of signed digests for a cohort, before the batch window ends; once.
    /// @param slots Mask of its slots. A transaction of the same slot wins.
    /// @param root keccak256(abi.encode(bytes32[] digests, bytes32[] hashes of the signatures)), by slot.
    /// @param list sha2-256 digest of the published list's CIDv0.
    function postBatch(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        bytes32 root,
        bytes32 list
    ) external;

    /// @notice Hands an update's key, sealed to the current aggregator, to it: an event, no state. After the window.
    function reseal(uint256 project, uint256 round, bytes calldata sealedKey) external;

    /// @notice The current aggregator says that it cannot open the updates of `slots`: not to be fetched, not to be
    /// opened, or not what was committed. Once for each of its turns and cohorts, for an answer window from its start.
    function complain(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        Arrivals calldata arrivals
    ) external;

    /// @notice Answers a complaint with the update itself, whoever has it; the aggregator pays the trainer.
    /// @param commitment Of the digest that was submitted.
    function answer(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot,
        G1 calldata commitment,
        Opening calldata opening
    ) external;

    /// @notice Sketch path: draws the seed of the round's sketches. Anyone, once a round, after the submit deadline.
    function drawSketch(uint256 project, uint256 round) external;

    /// @notice `complain` on the sketch path.
    /// @param chunks The chunk that an answer must show, for each of `slots`, ascending.
    function complainChunks(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        uint32[] calldata chunks,
        Arrivals calldata arrivals
    ) external;

    /// @notice `answer` on the sketch path, with the chunk that the complaint names.
    function answerChunk(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot,
        UpdateChunk calldata given
    ) external;

    /// @notice `postResult` on the sketch path; the proof is about the sketches. Nothing is merged: the root stays.
    /// @dev An aggregator that leaves an update out, whose complaint was answered, gets no fee.
    function postSketchResult(uint256 project, RoundResult calldata result, SketchResult calldata sketch) external;

    /// @notice Settles a cohort's round: earnings, fee, strikes, model; with its last cohort the round closes.
    function postResult(uint256 project, RoundResult calldata result) external;

    /// @notice Ends a cohort's round without pay where a quorum is missing. Anyone.
    function skip(uint256 project, uint256 round, uint256 cohort) external;

    /// @notice Slashes an aggregator that let the result deadline pass; the next one takes over, or the project halts.
    function timeout(uint256 project, uint256 round) external;

    /// @notice Challenges the previous round: its model cannot be had, or (`kind` Proof, OnDemand projects) its result
    /// of `cohort` is to be proved. Locks `complaintDeposit` of the caller's free stake.
    function challenge(uint256 project, ChallengeKind kind, uint256 cohort, Outcome[] calldata outcomes) external;

    /// @notice Answers a challenge of the model with the model.
    function answerModel(uint256 project, Opening calldata opening) external;

    /// @notice Answers a challenge of a result with its proof.
    function answerProof(uint256 project, uint256[] calldata gram, bytes calldata proof) external;

    /// @notice `challenge` on the sketch path: kinds Proof (OnDemand projects), Chunk and Sketch; each question once a
    /// round.
    function challengeSketch(
        uint256 project,
        ChallengeKind kind,
        SketchQuestion calldata question,
        Outcome[] calldata outcomes
    ) external;

    /// @notice Answers a challenge of a chunk with the chunk, whoever has it.
    function showChunk(uint256 project, ChunkFacts calldata facts, ShownChunk calldata shown) external;

    /// @notice Answers a challenge of a sketch: the accused aggregator, in the answer window. May be refuted for one
    /// more answer window.
    /// @param values The polynomials of the chunks' sketches at z, by chunk, field elements.
    /// @param proof The KZG quotient's commitment: S opens at z to the sum of the values.
    function answerSketch(
        uint256 project,
        SketchFacts calldata facts,
        uint256[] calldata values,
        G1 calldata proof
    ) external;

    /// @notice Shows that a value of the standing answer is false, with the chunk: the answer counts as not given, and
    /// the round can be undone at once.
    function refuteSketch(
        uint256 project,
        SketchFacts calldata facts,
        uint256 chunk,
        uint256[] calldata values,
        SketchEvidence calldata evidence
    ) external;

    /// @notice Ends a challenge of a sketch whose answer was not refuted in time.
    function closeSketch(uint256 project) external;

    /// @notice Undoes the previous round, whose challenge was not answered in time; it is done again.
    function undo(uint256 project, Outcome[] calldata outcomes) external;

    /// @notice Reveals the validation set behind the references. Owner, once the last round is over.
    function reveal(uint256 project, bytes32 validation, bytes32 salt) external;

    /// @notice Ends a Closing project once the last round can no longer be challenged.
    function settle(uint256 project) external;

    /// @notice Frees the caller's stake or bond in the vault once the project has ended.
    function release(uint256 project) external;

    /// @notice Pays an account what it earned in a project, or the owner its refund; anyone may call. Not while the
    /// previous round can be challenged.
    function claim(uint256 project, address account) external returns (uint256 amount);

    /// @notice Number of projects; they are numbered from 1.
    function projectCount() external view returns (uint256);

    /// @notice A project's state; all zero where there is none.
    function projectOf(uint256 project) external view returns (Project memory);

    /// @notice A project's terms, as posted.
    function termsOf(uint256 project) external view returns (Terms memory);

    /// @notice A cohort's round under way; all zero before anything arrived.
    function cohortOf(uint256 project, uint256 cohort) external view returns (Cohort memory);

    /// @notice The open challenge of a project's previous round.
    function challengeOf(uint256 project) external view returns (Challenge memory);

    /// @notice The trainer by number; a trainer that left keeps its number while Active.
    function trainerOf(uint256 project, uint256 number) external view returns (Account memory);

    /// @notice The number of the trainer that has this seat in a round; reverts where the seat is empty.
    function numberOf(uint256 project, uint256 round, uint256 seat) external view returns (uint256);

    /// @notice The aggregators in the order of their turns, those whose turn is over included.
    function aggregatorsOf(uint256 project) external view returns (Account[] memory byIndex);

    /// @notice An address's part in a project.
    function membershipOf(uint256 project, address account) external view returns (Member memory);

    /// @notice What an account may claim once nothing can be challenged.
    function claimable(uint256 project, address account) external view returns (uint256);

    /// @notice The digest that a complaint is about; 0 where there is none.
    function complaintOf(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot
    ) external view returns (bytes32 digest);

    /// @notice Sketch path: the chunk that a complaint about this slot names; 0 as well where there is none.
    function complainedChunkOf(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot
    ) external view returns (uint256 chunk);

    /// @notice keccak256 of the values of the answer that stands to a challenge of a sketch; 0: none does.
    function standingAnswerOf(uint256 project) external view returns (bytes32 values);

    /// @notice The EIP-712 hash that a trainer signs for a batch.
    function signedHash(uint256 project, uint256 round, bytes32 digest) external view returns (bytes32);

    /// @notice The EIP-712 hash that a trainer signs for `submitSigned`.
    function relayedHash(uint256 project, uint256 round, bytes32 digest, bytes32 blob) external view returns (bytes32);

    /// @notice The stake vault.
    function vault() external view returns (address);

    /// @notice The reputation registry.
    function reputation() external view returns (address);

    /// @notice The verifier of results and openings.
    function gramVerifier() external view returns (address);

    /// @notice The RoundJudge: the rules from G to pay.
    function judge() external view returns (address);
}

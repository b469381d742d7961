// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Arrivals, Cohort, ITrainingMarket, Project} from "../interfaces/ITrainingMarket.sol";
import {BitMask} from "./BitMask.sol";
import {MarketState} from "./MarketState.sol";
import {Rounds} from "./Rounds.sol";

/// @title What a cohort's round received, kept as one hash and read from its preimage
library Arrival {
    using BitMask for uint256;

    /// @notice What the preimage says. By slot; positions count from 1 in the order of arrival.
    struct Received {
        uint256 slots; // mask of those with a valid submission
        bytes32[] digests;
        uint256[] positions;
        uint256[] numbers; // of all seats; NONE where empty
        address[] holders;
    }

    /// @dev Where a walk over the arrivals stands.
    struct Cursor {
        bytes32 chain;
        uint256 position;
        uint256 next; // of `Arrivals.digests`
    }

    bytes32 private constant DOMAIN = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant NAME = keccak256("Fairshare");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant SUBMISSION = keccak256("Submission(uint256 project,uint16 round,bytes32 digest)");
    bytes32 private constant RELAYED = keccak256(
        "RelayedSubmission(uint256 project,uint16 round,bytes32 digest,bytes32 blob)"
    );
    uint8 private constant BATCH = 0xff;

    /// @notice The chain after a submission by transaction.
    function afterTransaction(bytes32 chain, uint256 slot, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(chain, uint8(slot), digest));
    }

    /// @notice The chain after a batch.
    function afterBatch(bytes32 chain, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(chain, BATCH, root));
    }

    /// @notice A commitment's digest: it binds the trainer, so that nobody can use another's.
    function digestOf(uint256 x, uint256 y, address holder) internal pure returns (bytes32 digest) {
        return keccak256(abi.encode(x, y, holder));
    }

    /// @notice EIP-712 hash of a submission that is handed to the aggregator.
    function signedHash(uint256 project, uint256 round, bytes32 digest) internal view returns (bytes32) {
        return _typed(keccak256(abi.encode(SUBMISSION, project, round, digest)));
    }

    /// @notice EIP-712 hash of a submission that anybody may send; it covers the blob, which nobody else may choose.
    function relayedHash(uint256 project, uint256 round, bytes32 digest, bytes32 blob) internal view returns (bytes32) {
        return _typed(keccak256(abi.encode(RELAYED, project, round, digest, blob)));
    }

    /// @notice Reads the preimage of a cohort's chain; reverts where it is none.
    function read(
        MarketState storage s,
        uint256 project,
        uint256 cohort,
        Arrivals calldata arrivals
    ) internal view returns (Received memory received) {
        Cohort storage c = s.cohorts[project][cohort];
        uint256 slots = s.terms[project].slots;
        received.digests = new bytes32[](slots);
        received.positions = new uint256[](slots);
        _seat(s, project, cohort * slots, received, slots);
        Cursor memory at;
        for (uint256 i = 0; i < arrivals.order.length; ++i) {
            uint8 slot = uint8(arrivals.order[i]);
            if (slot == BATCH) {
                at.chain = afterBatch(at.chain, c.batchRoot);
                _readBatch(s, project, c, arrivals, received, at);
                continue;
            }
            bytes32 digest = arrivals.digests[at.next];
            ++at.next;
            at.chain = afterTransaction(at.chain, slot, digest);
            received.slots |= 1 << slot;
            received.digests[slot] = digest;
            received.positions[slot] = ++at.position;
        }
        if (at.chain != c.chain) revert ITrainingMarket.WrongArrivals(at.chain, c.chain);
    }

    function _seat(
        MarketState storage s,
        uint256 project,
        uint256 first,
        Received memory received,
        uint256 slots
    ) private view {
        Project storage p = s.projects[project];
        received.numbers = new uint256[](slots);
        received.holders = new address[](slots);
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 number = Rounds.number(p, p.round, first + slot);
            received.numbers[slot] = number;
            if (number != Rounds.NONE) received.holders[slot] = s.trainers[project][number].holder;
        }
    }

    /// @dev A transaction of the same slot wins, whenever it came. Whoever posted the batch must open it.
    function _readBatch(
        MarketState storage s,
        uint256 project,
        Cohort storage c,
        Arrivals calldata arrivals,
        Received memory received,
        Cursor memory at
    ) private view {
        Project storage p = s.projects[project];
        if (arrivals.batch.length == 0 && p.aggregatorIndex != c.batchIndex) return;
        uint256 batched = c.batched;
        uint256 wanted = batched.count();
        if (arrivals.batch.length != wanted || arrivals.signatures.length != wanted) {
            revert ITrainingMarket.InvalidLength(arrivals.batch.length, wanted);
        }
        bytes32 root = _root(arrivals);
        if (root != c.batchRoot) revert ITrainingMarket.WrongArrivals(root, c.batchRoot);
        bytes32[] memory hashes = _signedHashes(project, p.round, arrivals.batch);
        uint256 i = 0;
        for (uint256 slot = 0; i < wanted; ++slot) {
            if (!batched.has(slot)) continue;
            uint256 entry = i;
            ++i;
            if (uint256(c.submitted).has(slot)) continue;
            if (!_isSigned(received.holders[slot], hashes[entry], arrivals.signatures[entry])) continue;
            received.slots |= 1 << slot;
            received.digests[slot] = arrivals.batch[entry];
            received.positions[slot] = ++at.position;
        }
    }

    /// @dev The domain is hashed once for all.
    function _signedHashes(
        uint256 project,
        uint256 round,
        bytes32[] calldata digests
    ) private view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](digests.length);
        bytes32 domain = _domain();
        for (uint256 i = 0; i < digests.length; ++i) {
            bytes32 structHash = keccak256(abi.encode(SUBMISSION, project, round, digests[i]));
            hashes[i] = MessageHashUtils.toTypedDataHash(domain, structHash);
        }
    }

    function _root(Arrivals calldata arrivals) private pure returns (bytes32) {
        bytes32[] memory signatures = new bytes32[](arrivals.signatures.length);
        for (uint256 i = 0; i < signatures.length; ++i) signatures[i] = keccak256(arrivals.signatures[i]);
        return keccak256(abi.encode(arrivals.batch, signatures));
    }

    function _typed(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domain(), structHash);
    }

    function _domain() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, address(this)));
    }

    /// @dev By an account's key only, whatever code the account has: a wallet could change its word between the batch
    /// and the result, and so keep a round from its result. Wallets' signatures are relayed (`submitSigned`).
    function _isSigned(address holder, bytes32 hash, bytes calldata signature) private pure returns (bool) {
        (address signer, ECDSA.RecoverError error, ) = ECDSA.tryRecoverCalldata(hash, signature);
        return error == ECDSA.RecoverError.NoError && signer == holder;
    }
}

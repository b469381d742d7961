// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Account, Arrivals, Cohort, ITrainingMarket, Project} from "../interfaces/ITrainingMarket.sol";
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

    /// @dev Masks of slots: in the batch, and submitted by transaction.
    struct Batch {
        uint256 slots;
        uint256 submitted;
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

    /// @notice The chain after a submission by transaction: keccak256(chain, uint8(slot), digest), packed.
    function afterTransaction(bytes32 chain, uint256 slot, bytes32 digest) internal pure returns (bytes32 next) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, chain)
            mstore8(add(input, 0x20), slot)
            mstore(add(input, 0x21), digest)
            next := keccak256(input, 0x41)
        }
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

    /// @notice `digestOf` the point at a slot's place in a proof; the caller has checked that it is that long.
    function digestAt(bytes calldata points, uint256 slot, address holder) internal pure returns (bytes32 digest) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let input := mload(0x40)
            calldatacopy(input, add(points.offset, shl(6, slot)), 0x40)
            mstore(add(input, 0x40), shr(96, shl(96, holder)))
            digest := keccak256(input, 0x60)
        }
    }

    /// @notice Reads the preimage of a cohort's chain; reverts where it is none.
    function read(
        MarketState storage s,
        uint256 project,
        uint256 cohort,
        Arrivals calldata arrivals
    ) internal view returns (Received memory received) {
        Cohort storage c = s.cohorts[project][cohort];
        _seat(s, project, cohort, received);
        Cursor memory at;
        bytes calldata order = arrivals.order;
        bytes32[] calldata digests = arrivals.digests;
        for (uint256 i = 0; i < order.length;) {
            uint256 slot = uint8(order[i]);
            if (slot == BATCH) {
                at.chain = afterBatch(at.chain, c.batchRoot);
                _readBatch(s, project, c, arrivals, received, at);
            } else {
                bytes32 digest = digests[at.next];
                at.chain = afterTransaction(at.chain, slot, digest);
                received.digests[slot] = digest;
                received.slots |= 1 << slot;
                // Neither is more than what was handed in.
                unchecked {
                    ++at.next;
                    received.positions[slot] = ++at.position;
                }
            }
            unchecked {
                ++i;
            }
        }
        if (at.chain != c.chain) revert ITrainingMarket.WrongArrivals(at.chain, c.chain);
    }

    function _seat(MarketState storage s, uint256 project, uint256 cohort, Received memory received) private view {
        uint256 slots = s.terms[project].slots;
        uint256[] memory numbers = Rounds.numbers(s.projects[project], cohort * slots, slots);
        address[] memory holders = new address[](slots);
        mapping(uint256 number => Account) storage trainers = s.trainers[project];
        unchecked {
            for (uint256 slot = 0; slot < slots; ++slot) {
                uint256 number = numbers[slot];
                if (number != Rounds.NONE) holders[slot] = trainers[number].holder;
            }
        }
        (received.numbers, received.holders) = (numbers, holders);
        (received.digests, received.positions) = (new bytes32[](slots), new uint256[](slots));
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
        bytes32[] calldata digests = arrivals.batch;
        if (digests.length == 0 && p.aggregatorIndex != c.batchIndex) return;
        uint256 wanted = uint256(c.batched).count();
        if (digests.length != wanted || arrivals.signatures.length != wanted) {
            revert ITrainingMarket.InvalidLength(digests.length, wanted);
        }
        bytes32[] memory hashes = _signedHashes(project, p.round, digests);
        bytes32 root = _readSigned(Batch(c.batched, c.submitted), digests, arrivals.signatures, hashes, received, at);
        if (root != c.batchRoot) revert ITrainingMarket.WrongArrivals(root, c.batchRoot);
    }

    /// @dev Takes what is signed; the caller compares the root of what it was given.
    /// @param hashes By entry, what must be signed.
    function _readSigned(
        Batch memory batch,
        bytes32[] calldata digests,
        bytes[] calldata signatures,
        bytes32[] memory hashes,
        Received memory received,
        Cursor memory at
    ) private pure returns (bytes32 root) {
        uint256 slot = 0;
        for (uint256 i = 0; i < hashes.length; ++i) {
            while (!batch.slots.has(slot)) ++slot; // there are as many as entries
            bytes calldata signature = signatures[i];
            bool counts = !batch.submitted.has(slot) && _isSigned(received.holders[slot], hashes[i], signature);
            hashes[i] = keccak256(signature);
            if (counts) {
                received.slots |= 1 << slot;
                received.digests[slot] = digests[i];
                received.positions[slot] = ++at.position;
            }
            ++slot;
        }
        return keccak256(abi.encode(digests, hashes));
    }

    /// @dev What each signed (`signedHash`). The domain is hashed once for all, and one piece of memory does for them.
    function _signedHashes(
        uint256 project,
        uint256 round,
        bytes32[] calldata digests
    ) private view returns (bytes32[] memory hashes) {
        hashes = new bytes32[](digests.length);
        (bytes32 domain, bytes32 kind) = (_domain(), SUBMISSION);
        for (uint256 i = 0; i < digests.length; ++i) {
            bytes32 digest = digests[i];
            bytes32 hash;
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                let input := mload(0x40)
                mstore(input, kind)
                mstore(add(input, 0x20), project)
                mstore(add(input, 0x40), round)
                mstore(add(input, 0x60), digest)
                hash := keccak256(input, 0x80)
                mstore(input, shl(240, 0x1901))
                mstore(add(input, 0x02), domain)
                mstore(add(input, 0x22), hash)
                hash := keccak256(input, 0x42)
            }
            hashes[i] = hash;
        }
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

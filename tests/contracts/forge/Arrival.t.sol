// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Arrival} from "../../../contracts/libraries/Arrival.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice Fixed vectors of what is hashed when something arrives; tests/unit/protocol/test_digests.py reads them here.
contract ArrivalTest is TestBase {
    address private constant TRAINER = 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf;
    uint256 private constant LARGEST = 21888242871839275222246405745257275088696311157297823662689037894645226208582;

    bytes32 private constant DIGEST = 0x4e0b8c26d93f44b81cc5d832b303f78df32e7574e077361da42bb701cdc7f4f9;
    bytes32 private constant DIGEST_OF_LARGEST = 0x45398695b098c8646db08b6b031899b1e02492783143511e21618a9fce46e462;
    bytes32 private constant CHAIN = 0xd98a11cfec74682ce0bc16b001e07a299e2f07770d9b1974a640992a03027b0c;
    bytes32 private constant ROOT = 0x8cb312f5823455ff706741849d195fa91b3ba990b167882d318ef355321a1eee;
    bytes32 private constant CHAIN_WITH_BATCH = 0x1670f5168bba33c47d3477a18a2d177caba13e933c45c270d370c99050013ce1;

    function testDigestBindsCommitmentAndTrainer() external pure {
        vm.assertEq(Arrival.digestOf(1, 2, TRAINER), DIGEST, "small");
        vm.assertEq(Arrival.digestOf(LARGEST, 3, TRAINER), DIGEST_OF_LARGEST, "largest coordinate");
    }

    function testChainOfATransactionAndABatch() external pure {
        vm.assertEq(Arrival.afterTransaction(0, 5, DIGEST), CHAIN, "slot 5 by transaction");
        vm.assertEq(Arrival.afterBatch(CHAIN, ROOT), CHAIN_WITH_BATCH, "then the batch");
    }

    function testRootOfABatch() external pure {
        bytes32[] memory digests = new bytes32[](2);
        (digests[0], digests[1]) = (DIGEST, DIGEST_OF_LARGEST);
        bytes32[] memory signatures = new bytes32[](2);
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory signature = new bytes(65);
            for (uint256 k = 0; k < 65; ++k) signature[k] = bytes1(uint8(i + 1));
            signatures[i] = keccak256(signature);
        }
        vm.assertEq(keccak256(abi.encode(digests, signatures)), ROOT, "digests and hashes of the signatures");
    }
}

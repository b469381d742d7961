// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IEzklVerifier} from "../../../../contracts/interfaces/IEzklVerifier.sol";

/// @notice Accepts every proof. It stands in for ezkl's verifier where a test is about the state machine and G is made
/// up; real proofs are checked by the end-to-end tests.
contract AcceptingVerifier is IEzklVerifier {
    function verifyProof(bytes calldata, uint256[] calldata) external pure returns (bool) {
        return true;
    }
}

/// @notice Answers as it is told to: false, a revert, junk, too much, nothing.
contract OddVerifier {
    enum Answer {
        False,
        Revert,
        Two,
        Long,
        Nothing
    }
    Answer private immutable _answer;

    constructor(Answer answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        if (_answer == Answer.Revert) revert("no");
        if (_answer == Answer.False) return abi.encode(false);
        if (_answer == Answer.Two) return abi.encode(2);
        if (_answer == Answer.Long) return abi.encode(true, true);
        return "";
    }
}

/// @notice Accepts one call, to the byte.
contract RecordingVerifier {
    bytes32 private _expected;

    function expect(bytes32 hash) external {
        _expected = hash;
    }

    fallback(bytes calldata input) external returns (bytes memory) {
        return abi.encode(keccak256(input) == _expected);
    }
}

"""The protocol's arithmetic: pure integer functions, no I/O. Its twin in Solidity is contracts/libraries/Krum.sol."""

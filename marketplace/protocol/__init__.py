"""The protocol's arithmetic: pure integer functions. Its twin in Solidity is contracts/libraries/Krum.sol."""

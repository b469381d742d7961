"""Everybody's accounts in one call: the invariants look at all of them after each step."""

LENS = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
struct Member { uint32 number; uint8 index; bool left; uint96 locked; uint96 claimed; }
interface IMarket {
    function claimable(uint256 project, address account) external view returns (uint256);
    function membershipOf(uint256 project, address account) external view returns (Member memory);
}
interface IVault {
    function freeOf(address token, address account) external view returns (uint256);
    function lockedOf(address token, address account) external view returns (uint256);
    function unbondingOf(address token, address account) external view returns (uint256, uint256);
}
contract Lens {
    function members(IMarket market, uint256 project, address[] calldata who)
        external view returns (uint256[] memory claimable, uint256[] memory locked)
    {
        claimable = new uint256[](who.length);
        locked = new uint256[](who.length);
        for (uint256 i = 0; i < who.length; ++i) {
            claimable[i] = market.claimable(project, who[i]);
            locked[i] = market.membershipOf(project, who[i]).locked;
        }
    }
    function stakes(IVault vault, address token, address[] calldata who)
        external view returns (uint256[] memory free, uint256[] memory locked, uint256[] memory unbonding)
    {
        free = new uint256[](who.length);
        locked = new uint256[](who.length);
        unbonding = new uint256[](who.length);
        for (uint256 i = 0; i < who.length; ++i) {
            free[i] = vault.freeOf(token, who[i]);
            locked[i] = vault.lockedOf(token, who[i]);
            (unbonding[i], ) = vault.unbondingOf(token, who[i]);
        }
    }
}"""

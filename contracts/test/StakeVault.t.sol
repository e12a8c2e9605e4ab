// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test} from "forge-std/Test.sol";

import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {ForcedEther, LeagueFixture} from "./helpers/LeagueFixture.sol";

/// @notice Takes its money, and on the way asks for it once more by every door.
contract ReentrantPayee {
    StakeVault private immutable vault;
    uint256 public attempts;
    uint256 public successes;

    constructor(StakeVault vault_) payable {
        vault = vault_;
        vault.stake{value: msg.value}();
    }

    function requestUnbond(uint256 amount) external {
        vault.requestUnbond(amount);
    }

    function withdraw() external {
        vault.withdraw();
    }

    function claim() external {
        vault.claim();
    }

    receive() external payable {
        _try(abi.encodeCall(vault.withdraw, ()));
        _try(abi.encodeCall(vault.claim, ()));
    }

    function _try(bytes memory data) private {
        ++attempts;
        (bool ok,) = address(vault).call(data);
        if (ok) ++successes;
    }
}

contract StakeVaultTest is LeagueFixture, Test {
    address private immutable alice = makeAddr("alice");

    function setUp() public {
        deployLeague(0);
        // The test itself is a contract, so it may slash.
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(this));
        vm.stopPrank();
    }

    function testStakeNeedsTheMinimum() public {
        vm.deal(alice, 1 ether);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.BelowMinimum.selector, 0.1 ether - 1, 0.1 ether));
        vault.stake{value: 0.1 ether - 1}();
        vm.expectEmit(address(vault));
        emit IStakeVault.Staked(alice, 0.1 ether);
        vault.stake{value: 0.1 ether}();
        (uint256 active, uint256 pending) = stakeOf(alice);
        assertEq(active, 0.1 ether);
        assertEq(pending, 0);
    }

    function testPlainEtherIsRefused() public {
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        (bool ok,) = address(vault).call{value: 1 ether}("");
        assertFalse(ok);
    }

    function testUnbondAndWithdraw() public {
        stakeAs(alice, 1 ether);
        uint256 unlockAt = block.timestamp + UNBONDING;
        vm.startPrank(alice);
        vm.expectEmit(address(vault));
        emit IStakeVault.UnbondRequested(alice, 0.4 ether, unlockAt);
        vault.requestUnbond(0.4 ether);
        vm.warp(unlockAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.Locked.selector, unlockAt, 0));
        vault.withdraw();
        vm.warp(unlockAt);
        vm.expectEmit(address(vault));
        emit IStakeVault.Withdrawn(alice, 0.4 ether);
        assertEq(vault.withdraw(), 0.4 ether);
        assertEq(alice.balance, 0.4 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0, 1));
        vault.withdraw();
        (uint256 active, uint256 pending) = stakeOf(alice);
        assertEq(active, 0.6 ether);
        assertEq(pending, 0);
    }

    function testASecondRequestRestartsTheClock() public {
        stakeAs(alice, 1 ether);
        vm.startPrank(alice);
        vault.requestUnbond(0.2 ether);
        vm.warp(block.timestamp + UNBONDING - 1);
        vault.requestUnbond(0.2 ether);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectPartialRevert(IStakeVault.Locked.selector);
        vault.withdraw();
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        assertEq(vault.withdraw(), 0.4 ether);
    }

    function testUnbondBounds() public {
        stakeAs(alice, 0.3 ether);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0.3 ether, 0.3 ether + 1));
        vault.requestUnbond(0.3 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0.3 ether, 0));
        vault.requestUnbond(0);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.BelowMinimum.selector, 0.1 ether - 1, 0.1 ether));
        vault.requestUnbond(0.2 ether + 1);
        vault.requestUnbond(0.2 ether);
        vault.requestUnbond(0.1 ether);
        (uint256 active, uint256 pending) = stakeOf(alice);
        assertEq(active, 0);
        assertEq(pending, 0.3 ether);
    }

    function testExposureReservesAndLocks() public {
        stakeAs(alice, 0.3 ether);
        vm.expectEmit(address(vault));
        emit IStakeVault.ExposureChanged(alice, 0.2 ether);
        vault.addExposure(alice, 0.2 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0.3 ether, 0.4 ether));
        vault.addExposure(alice, 0.2 ether);
        vm.startPrank(alice);
        vault.requestUnbond(0.3 ether);
        vm.warp(block.timestamp + UNBONDING);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.Locked.selector, vm.getBlockTimestamp(), 0.2 ether));
        vault.withdraw();
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientExposure.selector, 0.2 ether, 0.2 ether + 1));
        vault.removeExposure(alice, 0.2 ether + 1);
        vault.removeExposure(alice, 0.2 ether);
        vm.prank(alice);
        assertEq(vault.withdraw(), 0.3 ether);
    }

    function testExposureCountsOnlyActiveStake() public {
        stakeAs(alice, 0.3 ether);
        vm.prank(alice);
        vault.requestUnbond(0.2 ether);
        vm.expectPartialRevert(IStakeVault.InsufficientStake.selector);
        vault.addExposure(alice, 0.1 ether + 1);
        vault.addExposure(alice, 0.1 ether);
    }

    function testFuzzSlashTakesWhatIsThere(uint96 staked, uint96 unbonded, uint96 amount, uint16 bps) public {
        staked = uint96(bound(staked, 0.1 ether, 1e24));
        unbonded = uint96(bound(unbonded, 0, staked));
        if (staked - unbonded < 0.1 ether) unbonded = staked;
        bps = uint16(bound(bps, 0, 5000));
        stakeAs(alice, staked);
        if (unbonded != 0) {
            vm.prank(alice);
            vault.requestUnbond(unbonded);
        }
        uint256 expected = amount < staked ? amount : staked;
        uint256 share = expected * bps / 10_000;
        vm.expectEmit(address(vault));
        emit IStakeVault.Slashed(alice, reporter, "reason", expected, share);
        assertEq(vault.slash(alice, amount, reporter, bps, "reason"), expected);
        (uint256 active, uint256 pending) = stakeOf(alice);
        uint256 activeBefore = staked - unbonded;
        assertEq(active, expected < activeBefore ? activeBefore - expected : 0);
        assertEq(active + pending, staked - expected);
        assertEq(creditOf(reporter), share);
        assertEq(creditOf(treasury), expected - share);
        (,,,,, uint256 slashed) = vault.accountOf(alice);
        assertEq(slashed, expected);
        _assertSolvent();
    }

    /// @dev Threat: exit before slash.
    function testPendingStakeIsSlashedUntilItLeaves() public {
        stakeAs(alice, 1 ether);
        vm.prank(alice);
        vault.requestUnbond(1 ether);
        vm.warp(block.timestamp + UNBONDING);
        assertEq(vault.slash(alice, 0.7 ether, reporter, 5000, "late"), 0.7 ether);
        vm.prank(alice);
        assertEq(vault.withdraw(), 0.3 ether);
        assertEq(vault.slash(alice, 1 ether, reporter, 5000, "gone"), 0);
    }

    function testSlashingOneselfBurnsHalf() public {
        stakeAs(alice, 1 ether);
        vault.slash(alice, 1 ether, alice, 5000, "self");
        assertEq(creditOf(alice), 0.5 ether);
        assertEq(creditOf(treasury), 0.5 ether);
    }

    function testSlashRefusesGreedAndNobody() public {
        stakeAs(alice, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ReporterShareTooHigh.selector, 5001));
        vault.slash(alice, 1 ether, reporter, 5001, "");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InvalidAccount.selector, address(0)));
        vault.slash(alice, 1 ether, address(0), 1, "");
        assertEq(vault.slash(alice, 1 ether, address(0), 0, ""), 1 ether);
    }

    function testCreditIsPulledOnce() public {
        vm.deal(address(this), 2 ether);
        vault.depositCredit{value: 0}(alice);
        assertEq(creditOf(alice), 0);
        vault.depositCredit{value: 2 ether}(alice);
        vm.startPrank(alice);
        vm.expectEmit(address(vault));
        emit IStakeVault.Claimed(alice, 2 ether);
        assertEq(vault.claim(), 2 ether);
        assertEq(alice.balance, 2 ether);
        vm.expectRevert(IStakeVault.NothingToClaim.selector);
        vault.claim();
    }

    function testReentrantPayeeGetsItsMoneyOnce() public {
        stakeAs(alice, 5 ether);
        vm.deal(address(this), 2 ether);
        ReentrantPayee payee = new ReentrantPayee{value: 1 ether}(vault);
        vault.depositCredit{value: 1 ether}(address(payee));
        payee.requestUnbond(0.5 ether);
        vm.warp(block.timestamp + UNBONDING);
        payee.withdraw();
        assertEq(address(payee).balance, 0.5 ether);
        payee.claim();
        assertEq(address(payee).balance, 1.5 ether);
        assertEq(payee.attempts(), 4);
        assertEq(payee.successes(), 0);
        _assertSolvent();
    }

    function testAPayeeThatRefusesKeepsItsCredit() public {
        vm.deal(address(this), 1 ether);
        vault.depositCredit{value: 1 ether}(address(anchor));
        vm.prank(address(anchor));
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TransferFailed.selector, address(anchor), 1 ether));
        vault.claim();
        assertEq(creditOf(address(anchor)), 1 ether);
    }

    function testForcedEtherChangesNothing() public {
        stakeAs(alice, 1 ether);
        vm.deal(address(this), 3 ether);
        new ForcedEther{value: 3 ether}(payable(address(vault)));
        assertEq(address(vault).balance, 4 ether);
        (uint256 active, uint256 pending, uint256 credit,,) = vault.totals();
        assertEq(active + pending + credit, 1 ether);
        vm.startPrank(alice);
        vault.requestUnbond(1 ether);
        vm.warp(block.timestamp + UNBONDING);
        assertEq(vault.withdraw(), 1 ether);
    }

    function testPausingStopsEntryAndNothingElse() public {
        stakeAs(alice, 1 ether);
        vault.addExposure(alice, 0.1 ether);
        vm.deal(address(this), 1 ether);
        vm.prank(pauser);
        vault.pause();
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        vault.stake{value: 1 ether}();
        vm.expectRevert(Pausable.EnforcedPause.selector);
        vault.addExposure(alice, 0.1 ether);
        vault.removeExposure(alice, 0.1 ether);
        vault.depositCredit{value: 1 ether}(alice);
        vault.slash(alice, 0.2 ether, alice, 5000, "");
        vm.startPrank(alice);
        vault.requestUnbond(0.8 ether);
        vm.warp(block.timestamp + UNBONDING);
        assertEq(vault.withdraw(), 0.8 ether);
        assertEq(vault.claim(), 1.1 ether);
        vm.stopPrank();
        vm.prank(pauser);
        vault.unpause();
        stakeAs(alice, 1 ether);
    }

    function testOnlyRolesMayAct() public {
        stakeAs(alice, 1 ether);
        bytes32 slasher = vault.SLASHER_ROLE();
        bytes32 pauserRole = vault.PAUSER_ROLE();
        bytes memory refusal =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, alice, slasher);
        vm.startPrank(alice);
        vm.expectRevert(refusal);
        vault.slash(alice, 1, alice, 0, "");
        vm.expectRevert(refusal);
        vault.addExposure(alice, 1);
        vm.expectRevert(refusal);
        vault.removeExposure(alice, 1);
        vm.expectRevert(refusal);
        vault.depositCredit(alice);
        refusal = abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, alice, pauserRole);
        vm.expectRevert(refusal);
        vault.pause();
        vm.expectRevert(refusal);
        vault.unpause();
    }

    function testOnlyContractsMaySlash() public {
        bytes32 slasher = vault.SLASHER_ROLE();
        address delegated = makeAddr("delegated");
        vm.etch(delegated, abi.encodePacked(hex"ef0100", alice));
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.SlasherNotContract.selector, alice));
        vault.grantRole(slasher, alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.SlasherNotContract.selector, delegated));
        vault.grantRole(slasher, delegated);
        vault.revokeRole(slasher, address(anchor));
        assertFalse(vault.hasRole(slasher, address(anchor)));
    }

    function testAdminIsHandedOverInTwoStepsADayApart() public {
        vm.prank(admin);
        vault.beginDefaultAdminTransfer(alice);
        vm.startPrank(alice);
        vm.expectRevert();
        vault.acceptDefaultAdminTransfer();
        vm.warp(block.timestamp + 1 days + 1);
        vault.acceptDefaultAdminTransfer();
        assertEq(vault.defaultAdmin(), alice);
    }

    function testTreasuryIsNeeded() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InvalidAccount.selector, address(0)));
        new StakeVault(admin, address(0), UNBONDING);
    }

    function _assertSolvent() private view {
        (uint256 active, uint256 pending, uint256 credit,,) = vault.totals();
        assertEq(address(vault).balance, active + pending + credit);
    }
}

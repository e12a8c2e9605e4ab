// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test} from "forge-std/Test.sol";

import {POL} from "../src/POL.sol";
import {ProofOfLearning} from "../src/ProofOfLearning.sol";
import {IProofOfLearning} from "../src/interfaces/IProofOfLearning.sol";
import {LearningFixture} from "./helpers/LearningFixture.sol";

contract LearningStakesTest is LearningFixture, Test {
    function setUp() public {
        deployLearning();
        openLearning(4);
    }

    // The contract and its chains

    function testRulesThatAreUnsoundAreRefused() public {
        ProofOfLearning.Rules memory rules = learningRules();
        rules.reporterBps = 5001;
        _refuseRules(rules);
        rules = learningRules();
        rules.penalty = uint96(STAKE + 1);
        _refuseRules(rules);
        rules.penalty = 0;
        _refuseRules(rules);
        rules = learningRules();
        rules.evidenceWindow = rules.withdrawalDelay;
        _refuseRules(rules);
        rules = learningRules();
        vm.expectRevert(IProofOfLearning.InvalidRules.selector);
        new ProofOfLearning(chief, IERC20(makeAddr("no code")), chest, rules);
        vm.expectRevert(IProofOfLearning.InvalidRules.selector);
        new ProofOfLearning(chief, pol, address(0), rules);
        rules.reporterBps = 5000;
        rules.penalty = uint96(STAKE);
        rules.evidenceWindow = rules.withdrawalDelay - 1;
        ProofOfLearning other = new ProofOfLearning(chief, pol, chest, rules);
        assertEq(other.penalty(), STAKE);
        assertEq(other.reporterBps(), 5000);
        assertEq(other.evidenceWindow(), DELAY - 1);
        assertEq(other.withdrawalDelay(), DELAY);
        assertEq(address(other.token()), address(pol));
        assertEq(other.treasury(), chest);
    }

    function _refuseRules(ProofOfLearning.Rules memory rules) private {
        vm.expectRevert(IProofOfLearning.InvalidRules.selector);
        new ProofOfLearning(chief, pol, chest, rules);
    }

    function testAChainIsNamedByWhoOpensItAndHow() public {
        IProofOfLearning.ChainSpec memory other = spec("other", 2);
        bytes32 name = keccak256(abi.encode(opener, other));
        vm.expectEmit(address(learning));
        emit IProofOfLearning.ChainOpened(name, opener, other);
        assertEq(openNamed("other", 2), name);
        IProofOfLearning.ChainState memory state = learning.chainOf(name);
        assertEq(state.opener, opener);
        assertEq(state.genesisRoot, "genesis");
        assertEq(state.slotsPerEpoch, EPOCH);
        assertEq(state.genesisValidators, 2);
        assertEq(state.deposits, 0);
        vm.prank(opener);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.ChainExists.selector, name));
        learning.openChain(other);
        vm.prank(witness);
        assertTrue(learning.openChain(other) != name);
        other.genesisRoot = "another";
        vm.prank(opener);
        assertTrue(learning.openChain(other) != name);
    }

    function testChainsThatCannotBeAreRefused() public {
        IProofOfLearning.ChainSpec memory bad = spec("bad", 0);
        _refuseSpec(bad);
        bad.genesisValidators = 4097;
        _refuseSpec(bad);
        bad.genesisValidators = 4096;
        bad.slotsPerEpoch = 0;
        _refuseSpec(bad);
        bytes memory unknown = abi.encodeWithSelector(IProofOfLearning.UnknownChain.selector, bytes32("nowhere"));
        vm.expectRevert(unknown);
        learning.chainOf("nowhere");
        vm.expectRevert(unknown);
        learning.deposit("nowhere", blsKeys(9));
        vm.expectRevert(unknown);
        learning.requestExit("nowhere", 0);
    }

    function _refuseSpec(IProofOfLearning.ChainSpec memory bad) private {
        vm.expectRevert(IProofOfLearning.InvalidSpec.selector);
        learning.openChain(bad);
    }

    // Deposits

    function testADepositTellsAllThatTheBeaconChainNeeds() public {
        IProofOfLearning.Keys memory keys = blsKeys(4);
        fund(accountOf(4));
        bytes8 peer = bytes8(sha256(keys.pubkey));
        vm.expectEmit(address(learning));
        emit IProofOfLearning.Deposited(chain, 4, accountOf(4), keys.pubkey, keys.nodeKey, peer, STAKE, keys.proof);
        vm.prank(accountOf(4));
        assertEq(learning.deposit(chain, keys), 4);
        IProofOfLearning.Validator memory v = learning.validatorOf(chain, 4);
        assertEq(v.account, accountOf(4));
        assertEq(v.stake, STAKE);
        assertEq(v.from, 2);
        assertEq(v.until, 0);
        assertTrue(v.status == IProofOfLearning.Status.Staked);
        assertEq(pol.balanceOf(address(learning)), 5 * STAKE);
        assertEq(pol.balanceOf(accountOf(4)), 0);
        (uint256 staked, uint256 credit) = learning.totals();
        assertEq(staked, 5 * STAKE);
        assertEq(credit, 0);
        assertEq(learning.chainOf(chain).deposits, 5);
    }

    function testADepositIsExactlyTheStake(uint256 allowed) public {
        allowed = bound(allowed, 0, STAKE - 1);
        vm.prank(chief);
        pol.drip(accountOf(4), STAKE);
        vm.startPrank(accountOf(4));
        pol.approve(address(learning), allowed);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(learning), allowed, STAKE)
        );
        learning.deposit(chain, blsKeys(4));
        pol.approve(address(learning), 1000 * STAKE);
        learning.deposit(chain, blsKeys(4));
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, accountOf(4), 0, STAKE));
        learning.deposit(chain, blsKeys(5));
        vm.stopPrank();
    }

    function testAPermitStandsForAnApproval() public {
        uint256 deadline = vm.getBlockTimestamp() + 1;
        (uint8 v, bytes32 r, bytes32 s) = _permit(4, deadline);
        vm.prank(chief);
        pol.drip(accountOf(4), STAKE);
        vm.prank(accountOf(4));
        assertEq(learning.depositWithPermit(chain, blsKeys(4), deadline, v, r, s), 4);
        assertEq(pol.allowance(accountOf(4), address(learning)), 0);
    }

    /// @dev Whoever sees the permit may use it first; the deposit goes through all the same.
    function testAPermitUsedByAnotherHoldsNobodyUp() public {
        uint256 deadline = vm.getBlockTimestamp() + 1;
        (uint8 v, bytes32 r, bytes32 s) = _permit(4, deadline);
        vm.prank(chief);
        pol.drip(accountOf(4), STAKE);
        pol.permit(accountOf(4), address(learning), STAKE, deadline, v, r, s);
        vm.prank(accountOf(4));
        learning.depositWithPermit(chain, blsKeys(4), deadline, v, r, s);
        (v, r, s) = _permit(5, deadline);
        vm.prank(witness);
        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        learning.depositWithPermit(chain, blsKeys(5), deadline, v, r, s);
    }

    function _permit(uint256 i, uint256 deadline) private view returns (uint8, bytes32, bytes32) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 hash =
            keccak256(abi.encode(kind, accountOf(i), address(learning), STAKE, pol.nonces(accountOf(i)), deadline));
        return vm.sign(keyOf(i), keccak256(abi.encodePacked("\x19\x01", pol.DOMAIN_SEPARATOR(), hash)));
    }

    function testADepositForAnotherIsTheOthers() public {
        assertEq(depositBy(witness, accountOf(4), 4), 4);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotAccount.selector, accountOf(4)));
        learning.requestExit(chain, 4);
        fund(witness);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.InvalidAccount.selector, address(0)));
        learning.depositFor(chain, address(0), blsKeys(5));
    }

    function testKeysThatAreNoneAreRefused() public {
        IProofOfLearning.Keys memory keys = blsKeys(4);
        keys.pubkey = abi.encodePacked(keys.pubkey, bytes1(0));
        _refuseKeys(keys, IProofOfLearning.InvalidKeys.selector);
        keys.pubkey = new bytes(47);
        _refuseKeys(keys, IProofOfLearning.InvalidKeys.selector);
        keys = blsKeys(4);
        keys.proof = new bytes(95);
        _refuseKeys(keys, IProofOfLearning.InvalidKeys.selector);
        keys = blsKeys(4);
        keys.nodeKey = 0;
        _refuseKeys(keys, IProofOfLearning.InvalidKeys.selector);
    }

    function testKeysStandForOneValidatorAlsoAfterItLeft() public {
        IProofOfLearning.Keys memory keys = blsKeys(1);
        keys.nodeKey = "another";
        _refuseKeys(keys, IProofOfLearning.DuplicatePubkey.selector);
        keys = blsKeys(4);
        keys.nodeKey = blsKeys(1).nodeKey;
        _refuseKeys(keys, IProofOfLearning.DuplicateNodeKey.selector);
        _leave(1);
        passEras(2);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        _withdraw(1);
        keys = blsKeys(1);
        keys.nodeKey = "another";
        _refuseKeys(keys, IProofOfLearning.DuplicatePubkey.selector);
        // The same keys on another chain are another validator.
        chain = openNamed("elsewhere", 1);
        depositBy(opener, accountOf(1), 1);
    }

    /// @dev 2^32 attempts find such a pair: here the hash itself is made to collide.
    function testAnotherKeyOfTheSamePeerIdIsRefused() public {
        IProofOfLearning.Keys memory keys = blsKeys(4);
        bytes32 digest = sha256(blsKeys(1).pubkey);
        bytes32 near = digest ^ bytes32(uint256(1));
        vm.mockCall(address(2), keys.pubkey, abi.encode(near));
        _refuseKeys(keys, IProofOfLearning.DuplicatePeerId.selector);
        vm.mockCall(address(2), keys.pubkey, abi.encode(digest ^ bytes32(uint256(1) << 192)));
        join(4);
        vm.clearMockedCalls();
    }

    function _refuseKeys(IProofOfLearning.Keys memory keys, bytes4 why) private {
        fund(witness);
        vm.prank(witness);
        vm.expectPartialRevert(why);
        learning.deposit(chain, keys);
    }

    function testOnlyTheOpenerMakesTheGenesis() public {
        chain = openNamed("genesis", 2);
        depositBy(opener, accountOf(0), 0);
        fund(witness);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.GenesisOpen.selector, 1, 2));
        learning.deposit(chain, blsKeys(1));
        IProofOfLearning.Header memory header = headerBy(1, 0);
        bytes memory signature = signHeader(header);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.GenesisOpen.selector, 1, 2));
        learning.propose(header, signature);
        depositBy(opener, accountOf(1), 1);
        assertEq(setSize(), 2);
        vm.prank(witness);
        learning.deposit(chain, blsKeys(2));
        assertEq(setSize(), 2);
        propose(1);
    }

    function testAChainHasRoomForItsListsAndNoMore() public {
        chain = openNamed("large", 1);
        depositBy(opener, accountOf(0), 0);
        // As if 4095 had come: the count is in the third word of the chain, above the genesis time.
        bytes32 slot = bytes32(_chainSlot() + 2);
        uint256 word = uint256(vm.load(address(learning), slot));
        uint256 cleared = word & ~(uint256(type(uint32).max) << 128);
        vm.store(address(learning), slot, bytes32(cleared | uint256(4095) << 128));
        assertEq(learning.chainOf(chain).deposits, 4095);
        join(1);
        fund(witness);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.ChainFull.selector, chain));
        learning.deposit(chain, blsKeys(2));
    }

    /// @dev Found by the one word that holds the opener.
    function _chainSlot() private view returns (uint256) {
        for (uint256 base = 0; base < 16; ++base) {
            uint256 place = uint256(keccak256(abi.encode(chain, base)));
            if (address(uint160(uint256(vm.load(address(learning), bytes32(place))))) == opener) return place;
        }
        revert("no chain");
    }

    // The pause

    function testAPauseStopsEntryAndNothingElse() public {
        IProofOfLearning.Header memory header = propose(1);
        _leave(3);
        vm.prank(warden);
        learning.pause();
        fund(accountOf(4));
        vm.startPrank(accountOf(4));
        vm.expectRevert(Pausable.EnforcedPause.selector);
        learning.deposit(chain, blsKeys(4));
        vm.expectRevert(Pausable.EnforcedPause.selector);
        learning.depositFor(chain, witness, blsKeys(4));
        vm.expectRevert(Pausable.EnforcedPause.selector);
        learning.depositWithPermit(chain, blsKeys(4), 0, 0, 0, 0);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        learning.openChain(spec("paused", 1));
        vm.stopPrank();
        learning.finalize(header, votes(header, 3));
        _leave(2);
        bytes memory first = signHeader(header);
        IProofOfLearning.Header memory other = headerBy(1, header.proposer);
        other.root = "another";
        bytes memory second = signHeader(other);
        vm.prank(witness);
        learning.slashProposer(header, first, other, second);
        IProofOfLearning.Verdict memory found =
            verdictOn((header.proposer + 1) % 4, IProofOfLearning.Offence.DoubleVote, "slashing");
        learning.slashReported(found, verdict(found, 3));
        passEras(1);
        vm.prank(witness);
        learning.claimCredit();
        vm.warp(vm.getBlockTimestamp() + DELAY);
        uint256 who = header.proposer;
        _withdraw(who);
        vm.prank(warden);
        learning.unpause();
        vm.prank(accountOf(4));
        learning.deposit(chain, blsKeys(4));
    }

    function testOnlyThePauserPauses() public {
        bytes32 role = learning.PAUSER_ROLE();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, chief, role));
        vm.prank(chief);
        learning.pause();
        vm.prank(warden);
        learning.pause();
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, chief, role));
        vm.prank(chief);
        learning.unpause();
    }

    // Leaving

    function testWhoLeavesKeepsItsDutiesForTwoEras() public {
        passEras(1);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.ExitRequested(chain, 3, 3);
        _leave(3);
        assertTrue(learning.inSet(chain, 3));
        assertEq(setSize(), 4);
        vm.prank(accountOf(3));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.AlreadyLeaving.selector, 3));
        learning.requestExit(chain, 3);
        passEras(1);
        assertTrue(learning.inSet(chain, 3));
        passEras(1);
        assertFalse(learning.inSet(chain, 3));
        assertEq(setSize(), 3);
    }

    function testOnlyTheAccountLeavesAndWithdraws() public {
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotAccount.selector, accountOf(3)));
        learning.requestExit(chain, 3);
        _leave(3);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotAccount.selector, accountOf(3)));
        learning.withdraw(chain, 3);
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotStaked.selector, 9));
        learning.requestExit(chain, 9);
        vm.prank(accountOf(2));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.StillLocked.selector, type(uint256).max));
        learning.withdraw(chain, 2);
        assertEq(learning.withdrawableAt(chain, 2), 0);
    }

    function testTheDelayCountsFromTheLastDuty(uint256 pause) public {
        pause = bound(pause, 1, 100 days);
        _leave(3);
        vm.warp(vm.getBlockTimestamp() + pause);
        passEras(2);
        uint256 end = vm.getBlockTimestamp();
        passEras(1);
        assertEq(learning.withdrawableAt(chain, 3), end + DELAY);
        vm.warp(end + DELAY - 1);
        _refuseWithdrawal(3, end + DELAY);
        vm.warp(end + DELAY);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.Withdrawn(chain, 3, accountOf(3), STAKE);
        assertEq(_withdraw(3), STAKE);
        assertEq(pol.balanceOf(accountOf(3)), STAKE);
        assertEq(learning.validatorOf(chain, 3).stake, 0);
        assertEq(setSize(), 3);
        vm.prank(accountOf(3));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotStaked.selector, 3));
        learning.withdraw(chain, 3);
    }

    /// @dev A chain that stands still holds nobody's stake for ever; but its last header counts as the last duty.
    function testAChainThatIsOverLetsGo() public {
        propose(1);
        _leave(3);
        uint256 asked = vm.getBlockTimestamp();
        vm.warp(asked + DELAY / 2);
        propose(2);
        vm.warp(asked + DELAY);
        _refuseWithdrawal(3, asked + DELAY / 2 + DELAY);
        vm.warp(asked + DELAY / 2 + DELAY);
        _withdraw(3);
        assertEq(setSize(), 3, "who has no stake has no word");
        assertFalse(learning.inSet(chain, 3));
        passEras(3);
        assertEq(setSize(), 3);
    }

    function testWhoCameAndWentBeforeItsEraWasNeverInASet() public {
        join(4);
        _leave(4);
        passEras(2);
        assertEq(setSize(), 4);
        assertFalse(learning.inSet(chain, 4));
        vm.warp(vm.getBlockTimestamp() + DELAY);
        _withdraw(4);
        assertEq(setSize(), 4);
    }

    function testAnEmptyChainIsOver() public {
        for (uint256 i = 0; i < 4; ++i) {
            _leave(i);
        }
        passEras(1);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.EmptySet.selector, chain));
        learning.proposerOf(chain, 2 * EPOCH);
        propose(EPOCH + 1);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        for (uint256 i = 0; i < 4; ++i) {
            _withdraw(i);
        }
        assertEq(setSize(), 0);
        assertEq(pol.balanceOf(address(learning)), 0);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.EmptySet.selector, chain));
        learning.proposerOf(chain, EPOCH + 2);
    }

    function testTokensSentByTransferBelongToNobody() public {
        vm.prank(chief);
        pol.drip(address(learning), 7);
        (uint256 staked, uint256 credit) = learning.totals();
        assertEq(staked + credit + 7, pol.balanceOf(address(learning)));
    }

    function _leave(uint256 i) private {
        vm.prank(accountOf(i));
        learning.requestExit(chain, i);
    }

    function _withdraw(uint256 i) private returns (uint256) {
        vm.prank(accountOf(i));
        return learning.withdraw(chain, i);
    }

    function _refuseWithdrawal(uint256 i, uint256 until) private {
        vm.prank(accountOf(i));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.StillLocked.selector, until));
        learning.withdraw(chain, i);
    }

    // The token

    function testTheSupplyIsFixedWithoutAFaucet() public {
        POL real = new POL(chief, SUPPLY, address(0));
        assertEq(real.totalSupply(), SUPPLY);
        assertEq(real.balanceOf(chief), SUPPLY);
        assertFalse(real.hasFaucet());
        bytes32 role = real.FAUCET_ROLE();
        vm.startPrank(chief);
        vm.expectRevert(POL.NoFaucet.selector);
        real.grantRole(role, chief);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, chief, role));
        real.drip(chief, 1);
        real.grantRole("other", witness);
        vm.stopPrank();
    }

    function testAFaucetGivesByRoleOnly() public {
        assertTrue(pol.hasFaucet());
        bytes32 role = pol.FAUCET_ROLE();
        vm.prank(witness);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, witness, role));
        pol.drip(witness, 1);
        vm.prank(chief);
        pol.grantRole(role, witness);
        vm.prank(witness);
        pol.drip(witness, 1);
        assertEq(pol.balanceOf(witness), 1);
        assertEq(pol.name(), "Proof of Learning");
        assertEq(pol.symbol(), "POL");
        assertEq(pol.decimals(), 18);
    }
}

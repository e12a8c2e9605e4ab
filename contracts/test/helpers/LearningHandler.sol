// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {StdAssertions} from "forge-std/StdAssertions.sol";
import {StdUtils} from "forge-std/StdUtils.sol";

import {IProofOfLearning} from "../../src/interfaces/IProofOfLearning.sol";
import {LearningFixture} from "./LearningFixture.sol";

/// @notice All that can happen to the stakes of a learning chain, with a ledger of its own beside them.
/// @dev As the other handlers: every action prepares what it needs, what must fail is tried and asserted to fail, and the
///      clock is the handler's.
contract LearningHandler is LearningFixture, StdAssertions, StdUtils {
    enum Did {
        Enter,
        Propose,
        Finalize,
        Leave,
        Withdraw,
        Equivocate,
        Contradict,
        Report,
        Accuse,
        Reward,
        Hush,
        Send
    }

    uint256 public constant ACTIONS = 12;
    uint256 private constant LEAST = 5; // members that stay, before one goes

    uint256 public clock;
    uint256[ACTIONS] public tried;
    uint256[ACTIONS] public done;
    uint256 public polIn;
    uint256 public polOut;
    uint256 public sent;
    uint256 public slashings;
    uint64 public head;
    uint64 public finalSlot;

    modifier timed(Did what) {
        ++tried[uint256(what)];
        vm.warp(clock);
        _;
        ++done[uint256(what)];
        clock = vm.getBlockTimestamp() + 1;
    }

    constructor() {
        deployLearning();
        openLearning(uint32(LEAST));
        polIn = LEAST * STAKE;
        clock = vm.getBlockTimestamp();
    }

    // Actions

    function enter(uint256 how) external timed(Did.Enter) {
        _enter(how);
    }

    /// @dev The head's slot rises, and only the slot's proposer moves it.
    function putForward(uint64 skip) external timed(Did.Propose) {
        IProofOfLearning.Header memory header = _next(skip);
        IProofOfLearning.Header memory other = headerBy(header.slot, header.proposer + 1);
        _refuse(abi.encodeCall(learning.propose, (other, signHeader(other))), IProofOfLearning.NotProposer.selector);
        _note(header);
        _refuse(abi.encodeCall(learning.propose, (header, signHeader(header))), IProofOfLearning.SlotNotRising.selector);
    }

    /// @dev Final with more than two thirds, never with less, and never again.
    function finalizeOne(uint64 skip) external timed(Did.Finalize) {
        IProofOfLearning.Header memory header = _next(skip);
        _note(header);
        uint256 size = setSize();
        uint256 needed = 2 * size / 3 + 1;
        assertTrue(3 * needed > 2 * size && 3 * (needed - 1) <= 2 * size);
        bytes memory few = votes(header, needed - 1);
        _refuse(abi.encodeCall(learning.finalize, (header, few)), IProofOfLearning.QuorumMissing.selector);
        learning.finalize(header, votes(header, needed));
        finalSlot = header.slot;
    }

    function askToLeave(uint256 which) external timed(Did.Leave) {
        uint256 i = _stayer(which);
        _as(accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)));
        _refuseAs(
            accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)), IProofOfLearning.AlreadyLeaving.selector
        );
        assertTrue(learning.inSet(chain, i), "duties go on");
    }

    /// @dev Neither early nor twice; whoever is leaving, or was slashed.
    function withdrawOne(uint256 which, bool slashed) external timed(Did.Withdraw) {
        uint256 i = _stayer(which);
        if (slashed) _contradict(i);
        else _as(accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)));
        if (which % 2 == 0) _passEras(2);
        bytes memory call = abi.encodeCall(learning.withdraw, (chain, i));
        vm.warp(learning.withdrawableAt(chain, i) - 1);
        _refuseAs(accountOf(i), call, IProofOfLearning.StillLocked.selector);
        vm.warp(vm.getBlockTimestamp() + 1);
        _withdraw(i);
        _refuseAs(accountOf(i), call, IProofOfLearning.NotStaked.selector);
    }

    function equivocate(uint256 which, uint64 slot) external timed(Did.Equivocate) {
        uint256 i = _stayer(which);
        IProofOfLearning.Header memory a = headerBy(slot, uint32(i));
        IProofOfLearning.Header memory b = headerBy(slot, uint32(i));
        b.updateId = "other";
        bytes memory call = abi.encodeCall(learning.slashProposer, (a, signHeader(a), b, signHeader(b)));
        _slash(i, call);
        _refuse(call, IProofOfLearning.AlreadySlashed.selector);
    }

    function contradict(uint256 which) external timed(Did.Contradict) {
        _contradict(_stayer(which));
    }

    /// @dev By a verdict of more than two thirds; also of who is leaving, as long as evidence is taken.
    function report(uint256 which, uint8 offence, bool leaving) external timed(Did.Report) {
        uint256 i = _stayer(which);
        if (leaving) {
            _as(accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)));
            _passEras(2);
            vm.warp(vm.getBlockTimestamp() + EVIDENCE_WINDOW);
        }
        IProofOfLearning.Verdict memory found =
            verdictOn(i, IProofOfLearning.Offence(offence % 5), keccak256(abi.encode(which)));
        bytes memory said = verdict(found, 2 * setSize() / 3 + 1);
        _slash(i, abi.encodeCall(learning.slashReported, (found, said)));
    }

    /// @dev Whatever is said against the honest, it is refused.
    function accuse(uint256 which, uint64 slot) external timed(Did.Accuse) {
        uint256 i = _stayer(which);
        IProofOfLearning.Header memory a = headerBy(slot, uint32(i));
        bytes memory own = signHeader(a);
        _refuse(abi.encodeCall(learning.slashProposer, (a, own, a, own)), IProofOfLearning.NoContradiction.selector);
        IProofOfLearning.Header memory b = headerBy(slot, uint32(i));
        b.root = "forged";
        bytes memory forged = signBy(i + 1, learning.digestOfHeader(b));
        _refuse(abi.encodeCall(learning.slashProposer, (a, own, b, forged)), IProofOfLearning.BadSignature.selector);
        IProofOfLearning.Verdict memory found = verdictOn(i, IProofOfLearning.Offence.DoubleVote, "nothing");
        bytes memory few = verdict(found, 2 * setSize() / 3);
        _refuse(abi.encodeCall(learning.slashReported, (found, few)), IProofOfLearning.QuorumMissing.selector);
        assertTrue(learning.inSet(chain, i));
    }

    function reward(uint256 which) external timed(Did.Reward) {
        if (learning.creditOf(witness) == 0) _contradict(_stayer(which));
        _claim(witness);
        if (which % 2 == 0) _claim(chest);
    }

    /// @dev A pause stops entry, and nothing that protects or pays.
    function hush(uint256 which) external timed(Did.Hush) {
        uint256 i = _stayer(which);
        uint256 number = learning.chainOf(chain).deposits;
        fund(accountOf(number));
        polIn += STAKE;
        vm.prank(warden);
        learning.pause();
        bytes memory entering = abi.encodeCall(learning.deposit, (chain, blsKeys(number)));
        _refuseAs(accountOf(number), entering, Pausable.EnforcedPause.selector);
        _note(_next(0));
        _as(accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)));
        _contradict(i);
        _claim(witness);
        vm.warp(learning.withdrawableAt(chain, i));
        _withdraw(i);
        vm.prank(warden);
        learning.unpause();
        _as(accountOf(number), entering);
    }

    function send(uint96 amount) external timed(Did.Send) {
        vm.prank(chief);
        pol.drip(address(learning), amount);
        sent += amount;
    }

    /// @dev Everybody leaves with what is theirs.
    function drain() external {
        vm.warp(clock);
        uint256 n = learning.chainOf(chain).deposits;
        for (uint256 i = 0; i < n; ++i) {
            IProofOfLearning.Validator memory v = learning.validatorOf(chain, i);
            if (v.status == IProofOfLearning.Status.Staked && v.until == 0) {
                _as(accountOf(i), abi.encodeCall(learning.requestExit, (chain, i)));
            }
        }
        vm.warp(vm.getBlockTimestamp() + DELAY);
        for (uint256 i = 0; i < n; ++i) {
            if (learning.validatorOf(chain, i).status != IProofOfLearning.Status.Withdrawn) _withdraw(i);
        }
        assertEq(setSize(), 0);
        _claim(witness);
        _claim(chest);
    }

    function system() external view returns (address, address, bytes32) {
        return (address(learning), address(pol), chain);
    }

    /// @dev Sums over all, and how many are in the set.
    function sums() external view returns (uint256 stakes, uint256 credits, uint256 members, uint256 slashed) {
        uint256 n = learning.chainOf(chain).deposits;
        for (uint256 i = 0; i < n; ++i) {
            IProofOfLearning.Validator memory v = learning.validatorOf(chain, i);
            stakes += v.stake;
            if (learning.inSet(chain, i)) ++members;
            if (v.status == IProofOfLearning.Status.Slashed) ++slashed;
        }
        credits = learning.creditOf(witness) + learning.creditOf(chest);
    }

    // Inside

    function _enter(uint256 how) private {
        uint256 i = learning.chainOf(chain).deposits;
        assertEq(how % 2 == 0 ? join(i) : depositBy(opener, accountOf(i), i), i, "numbers rise by one");
        polIn += STAKE;
        address account = accountOf(i);
        fund(account);
        bytes memory again = abi.encodeCall(learning.deposit, (chain, blsKeys(i)));
        _refuseAs(account, again, IProofOfLearning.DuplicatePubkey.selector);
        vm.prank(account);
        pol.transfer(chief, STAKE);
    }

    /// @dev A member that has not asked to leave, with LEAST - 1 others beside it.
    function _stayer(uint256 which) private returns (uint256) {
        while (true) {
            uint256 n = learning.chainOf(chain).deposits;
            uint256[] memory found = new uint256[](n);
            uint256 count;
            for (uint256 i = 0; i < n; ++i) {
                bool stays = learning.validatorOf(chain, i).until == 0;
                if (stays && learning.inSet(chain, i)) found[count++] = i;
            }
            if (count >= LEAST) return found[which % count];
            _enter(which);
            _enter(which ^ 1);
            _passEras(2);
        }
        return 0;
    }

    function _next(uint64 skip) private view returns (IProofOfLearning.Header memory) {
        return headerOf(head + 1 + skip % 20);
    }

    function _note(IProofOfLearning.Header memory header) private {
        learning.propose(header, signHeader(header));
        head = header.slot;
    }

    function _passEras(uint256 n) private {
        passEras(n);
        head = learning.chainOf(chain).headSlot;
    }

    function _contradict(uint256 i) private {
        (IProofOfLearning.Ack memory yes, IProofOfLearning.Ack memory no) =
            (ackBy(uint32(i), true), ackBy(uint32(i), false));
        bytes memory call = abi.encodeCall(learning.slashOppositeAcks, (yes, signAck(yes), no, signAck(no)));
        _slash(i, call);
        _refuse(call, IProofOfLearning.AlreadySlashed.selector);
    }

    function _slash(uint256 i, bytes memory call) private {
        (uint256 reporterHad, uint256 treasuryHad) = (learning.creditOf(witness), learning.creditOf(chest));
        (uint256 size, bool member) = (setSize(), learning.inSet(chain, i));
        _as(witness, call);
        uint256 share = LOSS * SHARE_BPS / 10_000;
        assertEq(learning.creditOf(witness) - reporterHad, share);
        assertEq(learning.creditOf(chest) - treasuryHad, LOSS - share);
        assertEq(learning.validatorOf(chain, i).stake, STAKE - LOSS);
        assertEq(setSize(), member ? size - 1 : size);
        ++slashings;
    }

    function _withdraw(uint256 i) private {
        uint256 amount = learning.validatorOf(chain, i).stake;
        bool slashed = learning.validatorOf(chain, i).status == IProofOfLearning.Status.Slashed;
        uint256 held = pol.balanceOf(accountOf(i));
        _as(accountOf(i), abi.encodeCall(learning.withdraw, (chain, i)));
        assertEq(pol.balanceOf(accountOf(i)) - held, amount);
        assertEq(amount, slashed ? STAKE - LOSS : STAKE);
        polOut += amount;
        if (slashed) --slashings; // of those that the sums still show
    }

    function _claim(address account) private {
        uint256 amount = learning.creditOf(account);
        if (amount == 0) return;
        _as(account, abi.encodeCall(learning.claimCredit, ()));
        assertEq(learning.creditOf(account), 0);
        polOut += amount;
    }

    function _as(address account, bytes memory call) private {
        vm.prank(account);
        (bool passed, bytes memory reason) = address(learning).call(call);
        if (!passed) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
    }

    function _refuse(bytes memory call, bytes4 expected) private {
        _refuseAs(witness, call, expected);
    }

    function _refuseAs(address account, bytes memory call, bytes4 expected) private {
        vm.prank(account);
        (bool passed, bytes memory reason) = address(learning).call(call);
        assertTrue(!passed && bytes4(reason) == expected, "refused, and for this reason");
    }
}

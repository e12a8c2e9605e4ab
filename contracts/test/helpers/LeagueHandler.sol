// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {StdAssertions} from "forge-std/StdAssertions.sol";

import {LeagueAnchor} from "../../src/LeagueAnchor.sol";
import {LeagueCourt} from "../../src/LeagueCourt.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {ILeagueAnchor} from "../../src/interfaces/ILeagueAnchor.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {CourtFixture} from "./CourtFixture.sol";
import {ForcedEther} from "./LeagueFixture.sol";
import {Trees} from "./Trees.sol";

/// @notice All that can happen to the vault and the anchor, with a ledger of its own beside them; CourtHandler adds what
///         the court does.
/// @dev Every action prepares what it needs, so it nearly always succeeds; nothing may revert unforeseen. What must
///      fail is tried and asserted to fail. The clock is the handler's: vm.warp does not outlive a call.
abstract contract LeagueHandler is CourtFixture, StdAssertions {
    enum Did {
        Stake,
        Unbond,
        Withdraw,
        RefusedExit,
        Claim,
        Post,
        Prove,
        HonestClaim,
        Settle,
        Payout,
        Slash,
        Force,
        Lie,
        Fraud,
        Accusation,
        Demand,
        Answer,
        Silence,
        Dispute,
        Verdict,
        Offline,
        DoubleVote,
        Come,
        Go,
        Reclaim,
        Refund,
        Join,
        Depart,
        Task,
        Submit,
        Relay,
        Batch,
        Certify,
        Finalize,
        Empty,
        Credit,
        Convict,
        Hush,
        Renew,
        Drain
    }

    uint256 public constant ACTIONS = 39;
    uint256 private constant MAX_OPEN = 4;

    uint256 public clock;
    uint256 public height;
    uint256[ACTIONS + 1] public tried;
    uint256[ACTIONS + 1] public done;
    uint256 public ethIn;
    uint256 public ethOut;
    uint256 public forcedVault;
    uint256 public forcedAnchor;
    uint256 public forcedCourt;
    /// @dev What the anchor holds for pots that are not settled and payouts that are not claimed.
    uint256 public escrow;
    uint256 public slashedTotal;
    bytes32[] public open;
    bytes32[] public settled;
    mapping(bytes32 => Round) internal _rounds;
    mapping(bytes32 => uint256) public paid;
    uint256 internal _nRounds;

    modifier timed(Did what) {
        ++tried[uint256(what)];
        vm.warp(clock);
        vm.roll(height);
        if (vault.paused()) _pauseBoth(false);
        _;
        clock = vm.getBlockTimestamp() + 1;
        height = vm.getBlockNumber() + 1;
    }

    /// @dev Not the constructor: only what has code may slash.
    function start() public virtual {
        deployLeague(4);
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(this));
        vm.stopPrank();
        clock = vm.getBlockTimestamp();
        height = vm.getBlockNumber();
        for (uint256 i = 0; i < 3; ++i) {
            _stake(agents[i], 1 ether);
        }
    }

    // Actions

    function stake(uint256 who, uint256 amount) external timed(Did.Stake) {
        _stake(_agent(who), bound(amount, 0.1 ether, 5 ether));
        ++done[uint256(Did.Stake)];
    }

    function unbond(uint256 who, uint256 amount) external timed(Did.Unbond) {
        _unbond(_agent(who), amount);
        ++done[uint256(Did.Unbond)];
    }

    /// @dev Whoever is not exposed leaves with exactly what is pending, after the whole period.
    function withdraw(uint256 who, uint256 amount) external timed(Did.Withdraw) {
        address account = _agent(who);
        _unexpose(account);
        (, uint256 pending) = stakeOf(account);
        if (pending == 0) {
            _unbond(account, amount);
            _refuseExit(account);
        }
        (, uint256 leaving, uint256 unlockAt,,,) = vault.accountOf(account);
        if (vm.getBlockTimestamp() < unlockAt) vm.warp(unlockAt);
        uint256 before = account.balance;
        vm.prank(account);
        assertEq(vault.withdraw(), leaving);
        assertEq(account.balance - before, leaving);
        ethOut += leaving;
        ++done[uint256(Did.Withdraw)];
    }

    /// @dev Neither early nor while exposed, however late it is.
    function exitWhileExposed(uint256 who) external timed(Did.RefusedExit) {
        bytes32 id = _anyOpen(who);
        address account = anchor.commitmentOf(id).poster;
        _unbond(account, type(uint256).max);
        _refuseExit(account);
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        _refuseExit(account);
        ++done[uint256(Did.RefusedExit)];
    }

    function claim(uint256 who) external timed(Did.Claim) {
        address account = _agent(who);
        if (who % 3 == 0) account = treasury;
        uint256 credit = creditOf(account);
        if (credit == 0) {
            _slash(agents[0], 0.01 ether, account);
            credit = creditOf(account);
            if (credit == 0) return;
        }
        uint256 before = account.balance;
        vm.prank(account);
        assertEq(vault.claim(), credit);
        assertEq(account.balance - before, credit);
        ethOut += credit;
        ++done[uint256(Did.Claim)];
    }

    function post(uint256 who, uint256 pot, int64[] calldata deltas) external timed(Did.Post) {
        _post(_agent(who), bound(pot, 0, 3 ether), deltas);
        ++done[uint256(Did.Post)];
    }

    function prove(uint256 which, uint256 index, int64 claimed) external timed(Did.Prove) {
        bytes32 id = _anyOpen(which);
        Round memory round = _rounds[id];
        index = bound(index, 0, round.leaves.length - 1);
        int64 posted = round.leaves[index].dA;
        if (claimed == posted) claimed = ~claimed;
        uint256 seat = round.leaves[index].a;
        if (anchor.isDisqualified(id, seat)) {
            try this.tryProve(id, index, claimed) {
                fail();
            } catch (bytes memory reason) {
                assertEq(bytes4(reason), ILeagueAnchor.AlreadyDisqualified.selector);
            }
            return;
        }
        (uint256 active, uint256 pending) = stakeOf(agents[seat]);
        this.tryProve(id, index, claimed);
        (uint256 activeAfter, uint256 pendingAfter) = stakeOf(agents[seat]);
        assertEq(activeAfter + pendingAfter, active + pending, "nothing is taken before the round stands");
        ++done[uint256(Did.Prove)];
    }

    function tryProve(bytes32 id, uint256 index, int64 claimed) external {
        proveAs(reporter, id, _rounds[id], index, claimed);
    }

    /// @dev The agent that told the truth is not to be had, nor is a leaf that was not posted.
    function proveAgainstTheHonest(uint256 which, uint256 index) external timed(Did.HonestClaim) {
        bytes32 id = _anyOpen(which);
        Round memory round = _rounds[id];
        index = bound(index, 0, round.leaves.length - 1);
        int64 honest = round.leaves[index].dA;
        try this.tryProve(id, index, honest) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), ILeagueAnchor.ScoresAgree.selector);
        }
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        assertTrue(anchor.verifyStep(id, round.leaves[index], proof));
        round.leaves[index].dA = ~honest;
        assertFalse(anchor.verifyStep(id, round.leaves[index], proof));
        ++done[uint256(Did.HonestClaim)];
    }

    function settleOne(uint256 which, bool paused) external timed(Did.Settle) {
        bytes32 id = _anyOpen(which);
        if (paused) _pauseBoth(true);
        _settle(id);
        ++done[uint256(Did.Settle)];
    }

    function claimPayout(uint256 which, uint256 seat, bool paused) external timed(Did.Payout) {
        while (settled.length == 0) {
            _settle(_anyOpen(which));
        }
        if (paused) _pauseBoth(true);
        _claimPayout(settled[which % settled.length], seat % agents.length);
        ++done[uint256(Did.Payout)];
    }

    /// @dev As another contract with the role would: any amount, also beyond all stake.
    function slash(uint256 who, uint256 amount) external timed(Did.Slash) {
        _slash(_agent(who), bound(amount, 0, 2 ether), reporter);
        ++done[uint256(Did.Slash)];
    }

    function forceEther(uint256 amount, uint256 target) external timed(Did.Force) {
        amount = bound(amount, 1, 1 ether);
        vm.deal(address(this), amount);
        address payable[3] memory targets = [payable(address(vault)), payable(address(anchor)), payable(address(court))];
        new ForcedEther{value: amount}(targets[target % 3]);
        if (target % 3 == 0) forcedVault += amount;
        else if (target % 3 == 1) forcedAnchor += amount;
        else forcedCourt += amount;
        ++done[uint256(Did.Force)];
    }

    /// @notice Everybody leaves with everything; not a wei stays but what was forced in.
    function drain() external timed(Did.Drain) {
        while (open.length != 0) {
            _settle(open[0]);
        }
        for (uint256 i = 0; i < settled.length; ++i) {
            for (uint256 seat = 0; seat < agents.length; ++seat) {
                _claimPayout(settled[i], seat);
            }
        }
        _closeCourt();
        address[] memory all = accounts();
        for (uint256 i = 0; i < all.length; ++i) {
            (uint256 active,) = stakeOf(all[i]);
            vm.prank(all[i]);
            if (active != 0) vault.requestUnbond(active);
        }
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        for (uint256 i = 0; i < all.length; ++i) {
            _leave(all[i]);
        }
    }

    // Views

    function system() external view returns (StakeVault, LeagueAnchor, LeagueCourt) {
        return (vault, anchor, court);
    }

    function accounts() public view virtual returns (address[] memory all) {
        uint256 n = agents.length;
        all = new address[](n + 3 + verifiers.length);
        for (uint256 i = 0; i < n; ++i) {
            all[i] = agents[i];
        }
        (all[n], all[n + 1], all[n + 2]) = (treasury, reporter, challenger);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            all[n + 3 + i] = verifiers[i];
        }
    }

    function openCount() external view returns (uint256) {
        return open.length;
    }

    // Steps

    /// @dev Ends the disputes about a commitment. False when that ended the commitment too.
    function _closeDisputes(bytes32 id) internal virtual returns (bool);

    /// @dev Ends what the court, and whoever else reserves stake, still holds.
    function _closeCourt() internal virtual;

    function _unexpose(address account) internal virtual {
        while (exposureOf(account) != 0) {
            _settle(open[0]);
        }
    }

    function _agent(uint256 who) internal view returns (address) {
        return agents[who % agents.length];
    }

    function _stake(address account, uint256 amount) internal {
        stakeAs(account, amount);
        ethIn += amount;
    }

    function _unbond(address account, uint256 amount) private {
        (uint256 active,) = stakeOf(account);
        if (active == 0) {
            _stake(account, 1 ether);
            active = 1 ether;
        }
        amount = bound(amount, 1, active);
        if (active - amount < 0.1 ether) amount = active;
        vm.prank(account);
        vault.requestUnbond(amount);
    }

    function _refuseExit(address account) private {
        vm.prank(account);
        try vault.withdraw() {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), IStakeVault.Locked.selector);
        }
    }

    function _post(address account, uint256 pot, int64[] memory deltas) private {
        uint256 n = bound(deltas.length, 1, 9);
        int64[] memory scores = new int64[](n);
        for (uint256 i = 0; i < n && i < deltas.length; ++i) {
            scores[i] = deltas[i] % 4; // ties are wanted
        }
        _postRound(account, pot, soloRound(bytes32(++_nRounds), scores));
    }

    function _postRound(address account, uint256 pot, Round memory round) internal returns (bytes32 id) {
        if (open.length == MAX_OPEN) _settle(open[0]);
        (uint256 active,) = stakeOf(account);
        if (active < exposureOf(account) + EXPOSURE) _stake(account, exposureOf(account) + EXPOSURE);
        id = postAs(account, round, pot);
        Round storage kept = _rounds[id];
        kept.leagueId = round.leagueId;
        kept.scores = round.scores;
        for (uint256 i = 0; i < round.leaves.length; ++i) {
            kept.leaves.push(round.leaves[i]);
        }
        open.push(id);
        ethIn += pot;
        escrow += pot;
    }

    function _anyOpen(uint256 which) internal returns (bytes32) {
        if (open.length == 0) _post(_agent(which), 1 ether, new int64[](5));
        return open[which % open.length];
    }

    function _settle(bytes32 id) internal {
        if (!_closeDisputes(id)) return;
        ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        Round memory round = _rounds[id];
        uint256 credit = creditOf(c.poster);
        settle(id, round);
        uint256 dust = creditOf(c.poster) - credit;
        uint256 owed;
        for (uint256 i = 0; i < agents.length; ++i) {
            owed += anchor.payoutOf(id, agents, round.scores, i);
        }
        assertEq(owed + dust, c.pot);
        assertTrue(c.nDisqualified == agents.length ? owed == 0 : dust < agents.length);
        escrow -= dust;
        _noLongerOpen(id);
        settled.push(id);
        for (uint256 i = 0; i < agents.length; ++i) {
            if (anchor.isDisqualified(id, i)) _collectPenalty(id, agents[i]);
        }
    }

    function _noLongerOpen(bytes32 id) internal {
        for (uint256 i = 0; i < open.length; ++i) {
            if (open[i] == id) open[i] = open[open.length - 1];
        }
        open.pop();
    }

    function _collectPenalty(bytes32 id, address agent) private {
        (uint256 active, uint256 pending) = stakeOf(agent);
        uint256 slashed = _min(PENALTY, active + pending);
        assertEq(anchor.collectPenalty(id, agent), slashed);
        (uint256 activeAfter, uint256 pendingAfter) = stakeOf(agent);
        assertEq(activeAfter + pendingAfter, active + pending - slashed);
        slashedTotal += slashed;
    }

    function _claimPayout(bytes32 id, uint256 seat) private {
        int64[] memory scores = _rounds[id].scores;
        bool again = anchor.isClaimed(id, seat);
        uint256 due = anchor.payoutOf(id, agents, scores, seat);
        uint256 credit = creditOf(agents[seat]);
        try anchor.claimPayout(id, agents, scores, seat) returns (uint256 amount) {
            assertTrue(!again && amount == due && due != 0);
            assertEq(creditOf(agents[seat]) - credit, due);
            paid[id] += due;
            escrow -= due;
            assertLe(paid[id], anchor.commitmentOf(id).pot);
        } catch (bytes memory reason) {
            assertEq(
                bytes4(reason), again ? ILeagueAnchor.AlreadyClaimed.selector : ILeagueAnchor.NothingToPay.selector
            );
            assertTrue(again || due == 0);
        }
    }

    function _slash(address agent, uint256 amount, address to) private {
        (uint256 active, uint256 pending) = stakeOf(agent);
        uint256 expected = _min(amount, active + pending);
        assertEq(vault.slash(agent, amount, to, REPORTER_BPS, "handler"), expected);
        slashedTotal += expected;
    }

    function _leave(address account) private {
        (, uint256 pending,, uint256 credit,,) = vault.accountOf(account);
        vm.startPrank(account);
        if (pending != 0) ethOut += vault.withdraw();
        if (credit != 0) ethOut += vault.claim();
        vm.stopPrank();
    }

    function _pauseBoth(bool on) private {
        vm.startPrank(pauser);
        if (on) {
            vault.pause();
            anchor.pause();
        } else {
            vault.unpause();
            anchor.unpause();
        }
        vm.stopPrank();
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}

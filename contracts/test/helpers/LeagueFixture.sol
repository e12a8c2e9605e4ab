// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CommonBase} from "forge-std/Base.sol";
import {StdUtils} from "forge-std/StdUtils.sol";

import {LeagueAnchor} from "../../src/LeagueAnchor.sol";
import {LeagueCourt} from "../../src/LeagueCourt.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {ILeagueAnchor} from "../../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../../src/interfaces/ILeagueCourt.sol";
import {RoundLeaf} from "../../src/libraries/RoundTree.sol";
import {Trees} from "./Trees.sol";

/// @notice A vault, an anchor, a court, agents with keys, and rounds to post.
abstract contract LeagueFixture is CommonBase, StdUtils {
    struct Round {
        bytes32 leagueId;
        RoundLeaf[] leaves;
        int64[] scores;
    }

    uint256 internal constant WINDOW = 1 days;
    uint256 internal constant UNBONDING = 7 days;
    uint256 internal constant EXPOSURE = 0.1 ether;
    uint256 internal constant PENALTY = 0.05 ether;
    uint256 internal constant REPORTER_BPS = 5000;
    uint256 internal constant REVEAL = 1 days;
    uint256 internal constant VOTE = 1 days;
    uint256 internal constant BOND = 0.02 ether;
    uint256 internal constant VERIFIER_STAKE = 0.1 ether;
    uint256 internal constant COMMITTEE = 5;
    uint32 internal constant NOBODY = type(uint32).max;

    address internal immutable admin = vm.addr(uint256(keccak256("admin")));
    address internal immutable pauser = vm.addr(uint256(keccak256("pauser")));
    address internal immutable treasury = vm.addr(uint256(keccak256("treasury")));
    address internal immutable poster = vm.addr(uint256(keccak256("poster")));
    address internal immutable reporter = vm.addr(uint256(keccak256("reporter")));

    StakeVault internal vault;
    LeagueAnchor internal anchor;
    LeagueCourt internal court;
    /// @dev The roster, ascending; keys[i] signs for agents[i].
    address[] internal agents;
    uint256[] internal keys;

    function deployLeague(uint256 nAgents) internal {
        vm.warp(1_800_000_000);
        vault = new StakeVault(admin, treasury, UNBONDING);
        anchor = new LeagueAnchor(admin, vault, WINDOW, EXPOSURE, PENALTY, REPORTER_BPS);
        deployCourt(courtRules());
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(anchor));
        vault.grantRole(vault.PAUSER_ROLE(), pauser);
        anchor.grantRole(anchor.PAUSER_ROLE(), pauser);
        vm.stopPrank();
        for (uint256 i = 0; i < nAgents; ++i) {
            _insert(uint256(keccak256(abi.encode("agent", i))));
        }
    }

    function deployCourt(ILeagueCourt.Rules memory rules) internal {
        court = new LeagueCourt(anchor, rules);
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(court));
        anchor.grantRole(anchor.COURT_ROLE(), address(court));
        vm.stopPrank();
    }

    function courtRules() internal pure returns (ILeagueCourt.Rules memory) {
        return ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), uint96(BOND), uint96(VERIFIER_STAKE), uint16(COMMITTEE));
    }

    function _insert(uint256 key) private {
        address account = vm.addr(key);
        agents.push(account);
        keys.push(key);
        for (uint256 i = agents.length - 1; i > 0 && agents[i - 1] > account; --i) {
            (agents[i], agents[i - 1]) = (agents[i - 1], agents[i]);
            (keys[i], keys[i - 1]) = (keys[i - 1], keys[i]);
        }
    }

    function stakeAs(address account, uint256 amount) internal {
        vm.deal(account, account.balance + amount);
        vm.prank(account);
        vault.stake{value: amount}();
    }

    /// @notice A round of solo matches: match i is played by agent i % n and adds deltas[i] to its score.
    function soloRound(bytes32 leagueId, int64[] memory deltas) internal view returns (Round memory round) {
        round.leagueId = leagueId;
        round.leaves = new RoundLeaf[](deltas.length);
        round.scores = new int64[](agents.length);
        bytes32 pre = keccak256(Trees.standings(round.scores));
        for (uint32 i = 0; i < deltas.length; ++i) {
            uint32 seat = i % uint32(agents.length);
            round.scores[seat] += deltas[i];
            bytes32 post = keccak256(Trees.standings(round.scores));
            round.leaves[i] = RoundLeaf(i, seat, NOBODY, deltas[i], 0, pre, post, evidenceOf(leagueId, i));
            pre = post;
        }
    }

    /// @notice What a match's evidence binds: its header, the root of its trace, its length.
    function matchOf(bytes32 leagueId, uint32 index)
        internal
        pure
        returns (bytes memory header, bytes32 traceRoot, uint64 steps)
    {
        header = abi.encodePacked('{"match":"', leagueId, index, '"}');
        traceRoot = keccak256(abi.encode(leagueId, "trace", index));
        steps = 10 + index;
    }

    function evidenceOf(bytes32 leagueId, uint32 index) internal pure returns (bytes32) {
        (bytes memory header, bytes32 traceRoot, uint64 steps) = matchOf(leagueId, index);
        return sha256(bytes.concat(hex"05", sha256(bytes.concat(hex"06", header)), traceRoot, bytes8(steps)));
    }

    /// @notice A round in which agent i scores scores[i] in one match.
    function scoredRound(bytes32 leagueId, int64[] memory scores) internal view returns (Round memory) {
        return soloRound(leagueId, scores);
    }

    /// @dev 0, 7, 14, ...: match 1 of a solo round is played by agent 1 and scores 7.
    function deltasOf(uint256 n) internal pure returns (int64[] memory deltas) {
        deltas = new int64[](n);
        for (uint256 i = 0; i < n; ++i) {
            deltas[i] = int64(uint64(7 * i));
        }
    }

    function scoresOf(int64 a, int64 b, int64 c, int64 d) internal pure returns (int64[] memory scores) {
        scores = new int64[](4);
        (scores[0], scores[1], scores[2], scores[3]) = (a, b, c, d);
    }

    function postAs(address from, Round memory round, uint256 pot) internal returns (bytes32) {
        vm.deal(from, from.balance + pot);
        bytes32 root = Trees.root(round.leaves);
        uint8 depth = Trees.depth(round.leaves.length);
        uint32 n = uint32(round.leaves.length);
        vm.prank(from);
        return anchor.post{value: pot}(keccak256("system"), round.leagueId, root, n, depth, 1000, agents, round.scores);
    }

    function claimOf(Round memory round, uint256 index, int64 score)
        internal
        view
        returns (ILeagueAnchor.ScoreClaim memory)
    {
        RoundLeaf memory leaf = round.leaves[index];
        return ILeagueAnchor.ScoreClaim(round.leagueId, leaf.index, agents[leaf.a], score, leaf.evidence);
    }

    function keyOf(address agent) internal view returns (uint256) {
        for (uint256 i = 0; i < agents.length; ++i) {
            if (agents[i] == agent) return keys[i];
        }
        revert("no key");
    }

    function sign(ILeagueAnchor.ScoreClaim memory claim) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(claim.agent), anchor.hashClaim(claim));
        return abi.encodePacked(r, s, v);
    }

    /// @notice Proves that the agent of leaf `index` claimed `score`.
    function proveAs(address from, bytes32 id, Round memory round, uint256 index, int64 score) internal {
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, index, score);
        bytes memory signature = sign(claim);
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        vm.prank(from);
        anchor.proveScoreMismatch(id, agents, round.scores, round.leaves[index], proof, claim, signature);
    }

    /// @notice Seats by descending score (insertion sort).
    function orderOf(int64[] memory scores) internal pure returns (uint16[] memory order) {
        order = new uint16[](scores.length);
        for (uint16 i = 0; i < scores.length; ++i) {
            uint16 to = i;
            for (; to > 0 && scores[order[to - 1]] < scores[i]; --to) {
                order[to] = order[to - 1];
            }
            order[to] = i;
        }
    }

    /// @notice Settles after the window; moves the clock when it has to.
    function settle(bytes32 id, Round memory round) internal {
        uint256 due = anchor.commitmentOf(id).settleableAt;
        if (vm.getBlockTimestamp() < due) vm.warp(due);
        anchor.settle(id, agents, round.scores, orderOf(round.scores));
    }

    function stakeOf(address account) internal view returns (uint256 active, uint256 pending) {
        (active, pending,,,,) = vault.accountOf(account);
    }

    function creditOf(address account) internal view returns (uint256 credit) {
        (,,, credit,,) = vault.accountOf(account);
    }

    function exposureOf(address account) internal view returns (uint256 exposed) {
        (,,,, exposed,) = vault.accountOf(account);
    }
}

/// @notice Sends ether where no function accepts it.
contract ForcedEther {
    constructor(address payable target) payable {
        selfdestruct(target);
    }
}

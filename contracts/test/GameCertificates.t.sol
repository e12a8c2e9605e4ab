// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {GameCertificates} from "../src/GameCertificates.sol";

contract GameCertificatesTest is Test {
    uint64 private constant ONE = 2 ** 32;

    GameCertificates private games;

    function setUp() public {
        games = new GameCertificates();
    }

    /// @dev Matching pennies: an even mix is the equilibrium, and everything else can be exploited.
    function testMatchingPennies() public {
        (int64[] memory rows, int64[] memory columns) = _pennies();
        bytes32 id = games.hashOf(rows, columns, 2);
        (uint256 gap, bool certified) = games.gapOf(id);
        assertFalse(certified);
        // Heads always against an even mix: the row player loses nothing, the column player gains 1.
        assertEq(games.certify(rows, columns, _mix(ONE, 0), _mix(ONE / 2, ONE / 2)), 2 ** 64);
        (gap, certified) = games.gapOf(id);
        assertEq(gap, 2 ** 64);
        assertTrue(certified);
        vm.expectRevert(abi.encodeWithSelector(GameCertificates.NotBetter.selector, 2 ** 64, 2 ** 64));
        games.certify(rows, columns, _mix(0, ONE), _mix(ONE / 2, ONE / 2));
        uint64[] memory even = _mix(ONE / 2, ONE / 2);
        vm.expectEmit(address(games));
        emit GameCertificates.GapCertified(id, address(this), 0, 0, 0, even, even);
        assertEq(games.certify(rows, columns, even, even), 0);
        (gap, certified) = games.gapOf(id);
        assertEq(gap, 0);
        assertTrue(certified);
        assertEq(games.profileOf(id), keccak256(abi.encode(even, even)));
        vm.expectRevert(abi.encodeWithSelector(GameCertificates.NotBetter.selector, 2 ** 64, 0));
        games.certify(rows, columns, _mix(ONE, 0), even);
    }

    /// @dev One step of the fixed point beside the mix is a gap, of exactly as much.
    function testTheGapIsExact() public view {
        (int64[] memory rows, int64[] memory columns) = _pennies();
        (uint256 rowGap, uint256 columnGap) =
            games.gapsOf(rows, columns, _mix(ONE / 2, ONE / 2), _mix(ONE / 2 + 1, ONE / 2 - 1));
        assertEq(rowGap, 2 * uint256(ONE));
        assertEq(columnGap, 0);
    }

    /// @dev Any game and any profile, against the definition: the best of all pure deviations, one by one.
    function testFuzzTheGapsAreTheDefinition(uint256 seed, uint256 m, uint256 n) public view {
        m = bound(m, 1, 5);
        n = bound(n, 1, 5);
        int64[] memory rows = _payoffs(seed, m * n);
        int64[] memory columns = _payoffs(~seed, m * n);
        uint64[] memory p = _random(seed, m);
        uint64[] memory q = _random(~seed, n);
        (uint256 rowGap, uint256 columnGap) = games.gapsOf(rows, columns, p, q);
        int256 best;
        for (uint256 r = 0; r < m; ++r) {
            uint64[] memory pure_ = new uint64[](m);
            pure_[r] = ONE;
            int256 gain = _value(rows, pure_, q) - _value(rows, p, q);
            if (gain > best) best = gain;
        }
        assertEq(rowGap, uint256(best));
        best = 0;
        for (uint256 c = 0; c < n; ++c) {
            uint64[] memory pure_ = new uint64[](n);
            pure_[c] = ONE;
            int256 gain = _value(columns, p, pure_) - _value(columns, p, q);
            if (gain > best) best = gain;
        }
        assertEq(columnGap, uint256(best));
    }

    function testTheLargestPayoffsFit() public view {
        int64[] memory rows = new int64[](4);
        int64[] memory columns = new int64[](4);
        (rows[0], rows[2]) = (type(int64).min, type(int64).max);
        (columns[0], columns[1]) = (type(int64).max, type(int64).min);
        (uint256 rowGap, uint256 columnGap) = games.gapsOf(rows, columns, _mix(ONE, 0), _mix(ONE, 0));
        assertEq(rowGap, (2 ** 64 - 1) * 2 ** 64);
        assertEq(columnGap, 0);
        assertLe(rowGap, type(uint128).max);
    }

    function testMalformedGamesAndProfilesAreRefused() public {
        (int64[] memory rows, int64[] memory columns) = _pennies();
        uint64[] memory even = _mix(ONE / 2, ONE / 2);
        vm.expectRevert(abi.encodeWithSelector(GameCertificates.InvalidProfile.selector, 0));
        games.certify(rows, columns, _mix(ONE / 2, ONE / 2 - 1), even);
        vm.expectRevert(abi.encodeWithSelector(GameCertificates.InvalidProfile.selector, 1));
        games.certify(rows, columns, even, _mix(ONE, 1));
        // Sums do not wrap around.
        vm.expectRevert(abi.encodeWithSelector(GameCertificates.InvalidProfile.selector, 1));
        games.certify(rows, columns, even, _mix(type(uint64).max, ONE + 1));
        bytes memory invalid = abi.encodeWithSelector(GameCertificates.InvalidGame.selector);
        vm.expectRevert(invalid);
        games.certify(rows, columns, even, new uint64[](3));
        vm.expectRevert(invalid);
        games.certify(rows, new int64[](3), even, even);
        vm.expectRevert(invalid);
        games.certify(new int64[](5), columns, even, even);
        vm.expectRevert(invalid);
        games.certify(new int64[](0), new int64[](0), new uint64[](0), new uint64[](0));
        uint64[] memory many = new uint64[](4097);
        uint64[] memory one = new uint64[](1);
        vm.expectRevert(invalid);
        games.certify(new int64[](4097), new int64[](4097), many, one);
    }

    /// @dev The same payoffs in another shape are another game.
    function testAGameHasAShape() public view {
        int64[] memory payoffs = new int64[](6);
        assertNotEq(games.hashOf(payoffs, payoffs, 2), games.hashOf(payoffs, payoffs, 3));
    }

    function testRuntimeCodeStaysSmall() public view {
        assertLe(address(games).code.length, 20_000);
    }

    /// forge-config: default.isolate = true
    function testGas() public {
        games.certify(_payoffs(1, 64), _payoffs(2, 64), _random(1, 8), _random(2, 8));
        assertLe(vm.snapshotGasLastCall("games", "certify a game of 8 x 8"), 400_000);
    }

    function _pennies() private pure returns (int64[] memory rows, int64[] memory columns) {
        rows = new int64[](4);
        columns = new int64[](4);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = i == 0 || i == 3 ? int64(1) : int64(-1);
            columns[i] = -rows[i];
        }
    }

    function _mix(uint64 first, uint64 second) private pure returns (uint64[] memory mix) {
        mix = new uint64[](2);
        (mix[0], mix[1]) = (first, second);
    }

    function _payoffs(uint256 seed, uint256 n) private pure returns (int64[] memory payoffs) {
        payoffs = new int64[](n);
        for (uint256 i = 0; i < n; ++i) {
            payoffs[i] = int64(uint64(uint256(keccak256(abi.encode(seed, i)))));
        }
    }

    function _random(uint256 seed, uint256 n) private pure returns (uint64[] memory p) {
        p = new uint64[](n);
        uint64 rest = ONE;
        for (uint256 i = 0; i + 1 < n; ++i) {
            p[i] = uint64(uint256(keccak256(abi.encode(seed, "p", i))) % (rest + 1));
            rest -= p[i];
        }
        p[n - 1] = rest;
    }

    function _value(int64[] memory payoffs, uint64[] memory p, uint64[] memory q) private pure returns (int256 value) {
        for (uint256 r = 0; r < p.length; ++r) {
            for (uint256 c = 0; c < q.length; ++c) {
                value += int256(payoffs[r * q.length + c]) * int256(uint256(p[r])) * int256(uint256(q[c]));
            }
        }
    }
}

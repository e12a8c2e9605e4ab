// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title GameCertificates
/// @notice Keeps how near a mixed profile of a finite two-player game is to an equilibrium, after computing it itself.
///         Anyone may post a profile; a better one replaces it. Nobody is trusted and nothing is at stake.
/// @dev Payoffs are whole numbers of 64 bits, row by row: `rows[r * n + c]` is what the row player gets when it plays r
///      and the column player c. Probabilities are in 2^-32, and those of a player sum to exactly 2^32.
///
///      With P = 2^32, (A q)_r = sum_c A_rc q_c and (p A q) = sum_r p_r (A q)_r, the row player's gap is
///      max_r P (A q)_r - p A q, exact, in payoffs times 2^-64; the column player's likewise. The profile's gap is the
///      larger one: 0 exactly at an equilibrium. |A q| <= 2^95, so nothing leaves 128 bits.
contract GameCertificates {
    uint256 public constant ONE = 2 ** 32;
    /// @notice Cells of a game; more would not fit a transaction.
    uint256 public constant MAX_CELLS = 4096;

    /// @notice `gap` in payoffs times 2^-64; `profileHash` is keccak256(abi.encode(p, q)); zero when there is none.
    struct Certified {
        bytes32 profileHash;
        uint128 gap;
    }

    mapping(bytes32 gameHash => Certified) private _certified;

    event GapCertified(
        bytes32 indexed gameHash,
        address indexed prover,
        uint256 gap,
        uint256 rowGap,
        uint256 columnGap,
        uint64[] p,
        uint64[] q
    );

    /// @notice The payoffs are none, too many, or not as many as the two numbers of actions say.
    error InvalidGame();
    /// @notice The probabilities of player 0 (rows) or 1 (columns) are not as many as its actions, or do not sum to one.
    error InvalidProfile(uint256 player);
    /// @notice A profile that is at least as near to an equilibrium is known.
    error NotBetter(uint256 gap, uint256 known);

    /// @notice Computes the gap of a profile and keeps it, unless one at least as good is known.
    /// @param rows payoffs of the row player, `columns` those of the column player, both row by row
    /// @param p probabilities of the rows, `q` of the columns
    function certify(int64[] calldata rows, int64[] calldata columns, uint64[] calldata p, uint64[] calldata q)
        external
        returns (uint256 gap)
    {
        (uint256 rowGap, uint256 columnGap) = gapsOf(rows, columns, p, q);
        gap = rowGap > columnGap ? rowGap : columnGap;
        bytes32 gameHash = hashOf(rows, columns, p.length);
        Certified storage known = _certified[gameHash];
        if (known.profileHash != 0 && known.gap <= gap) revert NotBetter(gap, known.gap);
        known.profileHash = keccak256(abi.encode(p, q));
        known.gap = uint128(gap);
        emit GapCertified(gameHash, msg.sender, gap, rowGap, columnGap, p, q);
    }

    /// @notice The smallest gap certified for a game, in payoffs times 2^-64, and whether there is one.
    function gapOf(bytes32 gameHash) external view returns (uint256 gap, bool certified) {
        Certified storage known = _certified[gameHash];
        return (known.gap, known.profileHash != 0);
    }

    /// @notice The hash of the profile with that gap; the profile itself is in the event.
    function profileOf(bytes32 gameHash) external view returns (bytes32) {
        return _certified[gameHash].profileHash;
    }

    /// @notice What names a game: its number of rows and its payoffs.
    function hashOf(int64[] calldata rows, int64[] calldata columns, uint256 nRows) public pure returns (bytes32) {
        return keccak256(abi.encode(nRows, rows, columns));
    }

    /// @notice What each player could gain by another action, in payoffs times 2^-64. Keeps nothing.
    function gapsOf(int64[] calldata rows, int64[] calldata columns, uint64[] calldata p, uint64[] calldata q)
        public
        pure
        returns (uint256 rowGap, uint256 columnGap)
    {
        uint256 cells = p.length * q.length;
        if (cells == 0 || cells > MAX_CELLS || rows.length != cells || columns.length != cells) revert InvalidGame();
        _requireDistribution(p, 0);
        _requireDistribution(q, 1);
        rowGap = _gap(rows, p, q, q.length, 1);
        columnGap = _gap(columns, q, p, 1, q.length);
    }

    /// @dev The gap of the player who mixes by `own`; its action a against b pays payoffs[a * ownStep + b * otherStep].
    ///      The sum of probabilities is 2^32 and a payoff has 64 bits, so nothing can overflow: see above.
    function _gap(
        int64[] calldata payoffs,
        uint64[] calldata own,
        uint64[] calldata other,
        uint256 ownStep,
        uint256 otherStep
    ) private pure returns (uint256) {
        unchecked {
            int256 best = type(int256).min;
            int256 mean;
            for (uint256 a = 0; a < own.length; ++a) {
                int256 value;
                for (uint256 b = 0; b < other.length; ++b) {
                    value += int256(payoffs[a * ownStep + b * otherStep]) * int256(uint256(other[b]));
                }
                mean += value * int256(uint256(own[a]));
                if (value > best) best = value;
            }
            // The mean is over values of which none is above the best.
            return uint256(best * int256(ONE) - mean);
        }
    }

    function _requireDistribution(uint64[] calldata probabilities, uint256 player) private pure {
        unchecked {
            uint256 sum;
            for (uint256 i = 0; i < probabilities.length; ++i) {
                sum += probabilities[i];
            }
            // At most 4096 terms of 64 bits each.
            if (sum != ONE) revert InvalidProfile(player);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {INeuralConsensus} from "../interfaces/INeuralConsensus.sol";

/// @title The certificate of an equilibrium, in exact integers
/// @dev Given are, for each agent i that counts, x_ik (48 bits), c_i in [1, 10^6], w_i in [1, 1000], and kappa in
///      [1, 10^8], the claimed S_k, at most 1024 agents and 1024 coordinates. With W = sum of w_i, division being floor:
///
///        S_k <= W * (2^48 - 1) * 2^32                                        else PrecisionLoss
///        q_i = c_i + kappa * W
///        y_ik = (c_i * x_ik * 2^32 + kappa * S_k) / q_i
///        r_k = sum_i w_i * y_ik - S_k
///        |r_k| <= A = sum_i (w_i * c_i * 2^32 / q_i)                         else ResidualTooLarge(k)
///        D = min_i (q_i - kappa * w_i)
///        regret = ceil(10^12 * kappa^2 * sum_k (|r_k| + W)^2 / (D * 2^128)) <= eps (1e-18), else GapTooLarge
///
///      Why two bounds. Where agents mind each other much more than their own ideal, all of them can be moved together at
///      nearly no regret to anybody: with kappa W = 500 a regret of 1e-6 leaves the result free by four percent, and who
///      proves first would choose. The exact aggregate is S_k + r_k W / sum_i (w_i c_i / q_i), so the bound of r_k pins the
///      result S_k / W to one unit of a coordinate (and W / A units more, which the floors of y leave open). It costs an
///      honest prover nothing: S -> sum_i w_i y_i is monotone, so it has a fixed point, and there all r_k are 0.
///      The floors of y hide less than W of a residual, which is why W is added to it: the regret certified is never below
///      the true one of the exact responses to S. 10^12 = 10^18 / 10^6, for c and kappa count millionths; 2^128 is the
///      square of the unit of r.
///      Nothing overflows: W < 2^20, S_k < 2^100, c x 2^32 < 2^100, kappa S < 2^127, sum w y < 2^100, A < 2^52, the sum of
///      squares < 2^116, 10^12 kappa^2 times that < 2^210, D 2^128 < 2^175.
library Certificate {
    uint256 private constant WEIGHT = type(uint16).max;
    uint256 private constant MAX_COORDINATE = (2 ** 48 - 1) << 32;

    struct Game {
        uint256 kappa;
        uint256 eps;
        uint256 total;
    }

    /// @notice Caps weights at a third of their sum (at least 1) and returns the sum after that.
    /// @param voices confidence << 16 | weight of each agent, 0 for who does not count
    function capWeights(uint256[] memory voices, uint256 sum) internal pure returns (uint256 total) {
        unchecked {
            uint256 cap = sum / 3;
            if (cap == 0) cap = 1;
            for (uint256 i = 0; i < voices.length; ++i) {
                uint256 weight = voices[i] & WEIGHT;
                if (weight > cap) {
                    voices[i] = voices[i] - weight + cap;
                    weight = cap;
                }
                total += weight;
            }
        }
    }

    /// @notice The largest regret of the agents at the best responses to `aggregate`; reverts when it is above eps.
    function regretOf(Game memory game, uint256[] memory voices, bytes calldata values, uint256[] calldata aggregate)
        internal
        pure
        returns (uint256 regret)
    {
        uint256[] memory grid = _grid(game, aggregate);
        (uint256 least, uint256 bound) = _respond(game, voices, values, grid);
        uint256 scale = 1e12 * game.kappa * game.kappa;
        regret = _ceilDiv(scale * _squares(game, aggregate, grid, bound), least << 128);
        if (regret > game.eps) {
            uint256 floor = _ceilDiv(scale * aggregate.length * game.total * game.total, least << 128);
            if (floor > game.eps) revert INeuralConsensus.PrecisionLoss();
            revert INeuralConsensus.GapTooLarge(regret, game.eps);
        }
    }

    /// @dev Two words a coordinate: kappa * S_k, and room for sum_i w_i y_ik.
    function _grid(Game memory game, uint256[] calldata aggregate) private pure returns (uint256[] memory grid) {
        unchecked {
            uint256 limit = game.total * MAX_COORDINATE;
            uint256 kappa = game.kappa;
            grid = new uint256[](2 * aggregate.length);
            for (uint256 k = 0; k < aggregate.length; ++k) {
                if (aggregate[k] > limit) revert INeuralConsensus.PrecisionLoss();
                grid[2 * k] = kappa * aggregate[k];
            }
        }
    }

    /// @dev Adds every agent's weighted best response to the grid, and returns D and A.
    function _respond(Game memory game, uint256[] memory voices, bytes calldata values, uint256[] memory grid)
        private
        pure
        returns (uint256 least, uint256 bound)
    {
        least = type(uint256).max;
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := values.offset
        }
        unchecked {
            uint256 size = grid.length * 3;
            for (uint256 i = 0; i < voices.length; ++i) {
                if (voices[i] != 0) {
                    (uint256 d, uint256 share) = _add(game, voices[i], cursor, grid);
                    if (d < least) least = d;
                    bound += share;
                }
                cursor += size;
            }
        }
    }

    /// @dev The loop runs once a coordinate of every agent, so it is written without the checks of array accesses and of
    ///      arithmetic that cannot overflow (see above).
    function _add(Game memory game, uint256 voice, uint256 cursor, uint256[] memory grid)
        private
        pure
        returns (uint256 d, uint256 share)
    {
        unchecked {
            uint256 weight = voice & WEIGHT;
            uint256 c = voice >> 16;
            uint256 q = c + game.kappa * game.total;
            d = q - game.kappa * weight;
            c <<= 32;
            share = weight * c / q;
            assembly ("memory-safe") {
                let end := add(add(grid, 0x20), shl(5, mload(grid)))
                for { let cell := add(grid, 0x20) } lt(cell, end) { cell := add(cell, 0x40) } {
                    let y := div(add(mul(c, shr(208, calldataload(cursor))), mload(cell)), q)
                    let sum := add(cell, 0x20)
                    mstore(sum, add(mload(sum), mul(weight, y)))
                    cursor := add(cursor, 6)
                }
            }
        }
    }

    function _squares(Game memory game, uint256[] calldata aggregate, uint256[] memory grid, uint256 bound)
        private
        pure
        returns (uint256 squares)
    {
        unchecked {
            uint256 total = game.total;
            for (uint256 k = 0; k < aggregate.length; ++k) {
                uint256 claimed = aggregate[k];
                uint256 sum = grid[2 * k + 1];
                uint256 residual = sum > claimed ? sum - claimed : claimed - sum;
                if (residual > bound) revert INeuralConsensus.ResidualTooLarge(k);
                residual += total;
                squares += residual * residual;
            }
        }
    }

    function _ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            return a == 0 ? 0 : (a - 1) / b + 1;
        }
    }
}

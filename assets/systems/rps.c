/* Rock-paper-scissors, many rounds. Two seats. ABI v1; see nets.h and rps.h.
 *
 * Rules. In every round both players show rock, paper or scissors; paper beats rock, scissors beat paper, rock beats
 * scissors. A round won is a point, a round lost a point less, a tie nothing: the points of both add up to nothing.
 * After RPS_ROUNDS rounds the score is the points. Source of match and scoring: Billings, "The First International
 * RoShamBo Programming Competition", ICGA Journal, 2000 (his matches had 1000 rounds).
 *
 * At the same time. Seat 0 is asked first. What it showed is kept aside until seat 1 has shown too; only then the views
 * of both are written. So nothing that seat 1 is shown depends on what seat 0 shows in the same round.
 *
 * Coins. Every round draws one word, 16 bits of it for each seat. Agents have no randomness of their own, and an agent
 * without any could be read from its module; with a coin that only it sees, it can play the mixed equilibrium truly.
 * The coins are all that the seed decides.
 */
#include "draws.h"
#include "rps.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from rps.json"
#endif

_Static_assert(NETS_MAX_STEPS >= 2 * RPS_ROUNDS, "the last round must end within the match");

/* What a spectator sees. `aside` is what seat 0 has shown in the present round. A row: shown by seat 0, by seat 1,
 * points of seat 0, of seat 1. */
#define STATE_HEADER 8
#define STATE_ROW 4
static struct {
    u8 played, to_move, aside, unused;
    short points[2];
    signed char row[RPS_ROUNDS][STATE_ROW];
} table;

_Static_assert(sizeof(table) == STATE_HEADER + RPS_ROUNDS * STATE_ROW, "as rps.json says");

static u8 view[2][RPS_BYTES] __attribute__((aligned(8)));
static Draws draws;

static void toss_coins(void) {
    u32 coins = draws_word(&draws);
    for (i32 seat = 0; seat < 2; seat++) *(u16 *)(view[seat] + 6) = (u16)(coins >> 16 * seat);
}

NETS_EXPORT(reset) void reset(i64 seed) {
    draws_start(&draws, (u64)seed);
    __builtin_memset(&table, 0, sizeof(table));
    __builtin_memset(view, 0, sizeof(view));
    table.aside = RPS_NONE;
    for (i32 seat = 0; seat < 2; seat++) {
        view[seat][0] = view[seat][1] = RPS_NONE;
        view[seat][3] = RPS_ROUNDS;
    }
    toss_coins();
}

/* Writes a finished round into the view of SEAT. */
static void tell(i32 seat, i32 own, i32 other) {
    u8 *row = view[seat] + RPS_HEADER + table.played * RPS_ROW;
    view[seat][0] = row[1] = (u8)other;
    view[seat][1] = row[0] = (u8)own;
    view[seat][2] = table.played + 1;
    *(short *)(view[seat] + 4) = table.points[seat];
}

static void end_round(i32 first, i32 second) {
    i32 won = rps_won(first, second);
    table.points[0] += (short)won;
    table.points[1] -= (short)won;
    signed char *row = table.row[table.played];
    row[0] = (signed char)first;
    row[1] = (signed char)second;
    row[2] = (signed char)won;
    row[3] = (signed char)-won;
    tell(0, first, second);
    tell(1, second, first);
    table.played++;
    table.aside = RPS_NONE;
    toss_coins();
}

NETS_EXPORT(is_done) i32 is_done(void) { return table.played == RPS_ROUNDS; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action >= 0 && action < RPS_MOVES; }

NETS_EXPORT(step) void step(i64 action) {
    if (is_done() || !is_legal(action)) return;
    if (table.to_move == 0)
        table.aside = (u8)action;
    else
        end_round(table.aside, (i32)action);
    table.to_move ^= 1;
}

NETS_EXPORT(to_move) i32 to_move(void) { return table.to_move; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view[table.to_move]; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view[table.to_move], RPS_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(&table, sizeof(table)); }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 || seat == 1 ? table.points[seat] : 0; }

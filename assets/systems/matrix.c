/* Iterated 2x2 games: prisoner's dilemma, chicken, battle of the sexes, stag hunt and all others. Two seats. ABI v1;
 * see nets.h and matrix.h.
 *
 * Rules. In every round both players choose C or D, and each is paid what the table of payoffs says. The score is the
 * sum of a player's payoffs over all rounds.
 *
 * The table and the length are parameters. A match has `rounds` rounds for certain; after them, and after every further
 * one, there is another with a chance of `continuation` percent, up to MATRIX_MOST_ROUNDS. Whoever knew the last round
 * would have no reason to cooperate in it, and so in none before: drawn endings keep the future open. Source: Axelrod,
 * "More effective choice in the prisoner's dilemma", 1980. With `noise` each action is turned into the other one with
 * that chance in percent, and the payoffs follow what was played.
 *
 * At the same time. Seat 0 is asked first. What it chose is kept aside until seat 1 has chosen too; only then the views
 * of both are written. So nothing that seat 1 is shown depends on what seat 0 chooses in the same round.
 *
 * Draws. Each round takes four words: before it the coins, the low byte for seat 0 and the next one for seat 1; at its
 * end whether seat 0 slips, whether seat 1 slips, whether the match goes on. The last is drawn when it is needed, so
 * nothing of it can be seen before.
 *
 * Bounds. A payoff lies within -10 .. 10, so no score leaves -2000 .. 2000, whatever the parameters are.
 */
#include "draws.h"
#include "matrix.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from matrix.json"
#endif

_Static_assert(NETS_MAX_STEPS >= 2 * MATRIX_MOST_ROUNDS, "the last round must end within the match");

#define SEEN_PAYOFFS 4
#define SEEN_OTHERS 8
#define SEEN_TERMS 12
#define SEEN_TOTALS 16

/* What a spectator sees. `aside` is what seat 0 chose in the present round. A row: played by seat 0, by seat 1 (2 more
 * when the action slipped), payoff of seat 0, of seat 1. */
#define STATE_HEADER 20
#define STATE_ROW 4
static struct {
    u8 played, to_move, aside, over;
    short total[2];
    signed char payoff[2][MATRIX_CELLS];
    u8 rounds, continuation, noise, unused;
    signed char row[MATRIX_MOST_ROUNDS][STATE_ROW];
} table;

_Static_assert(sizeof(table) == STATE_HEADER + MATRIX_MOST_ROUNDS * STATE_ROW, "as matrix.json says");

static u8 view[2][MATRIX_BYTES] __attribute__((aligned(8)));
static Draws draws;

typedef struct {
    short least, most, value;
} Parameter;
#define PAYOFF(value) {-10, 10, value}

/* As matrix.json says; a match without parameters is a prisoner's dilemma. */
static Parameter parameters[MATRIX_PARAMS] = {
    [MATRIX_A] = PAYOFF(3), PAYOFF(0), PAYOFF(5), PAYOFF(1),
    [MATRIX_B] = PAYOFF(3), PAYOFF(5), PAYOFF(0), PAYOFF(1),
    [MATRIX_ROUNDS] = {1, 150, 100},
    [MATRIX_CONTINUATION] = {0, 95, 90},
    [MATRIX_NOISE] = {0, 50, 0},
};

NETS_EXPORT(set_param) void set_param(i32 index, i64 value) {
    if (index < 0 || index >= MATRIX_PARAMS) return;
    Parameter *p = &parameters[index];
    p->value = (short)(value < p->least ? p->least : value > p->most ? p->most : value);
}

static i32 draw_percent(i32 chance) { return draws_below(&draws, 100) < (u32)chance; }

static void toss_coins(void) {
    u32 coins = draws_word(&draws);
    for (i32 seat = 0; seat < 2; seat++) view[seat][3] = (u8)(coins >> 8 * seat);
}

/* Shows SEAT the payoffs from its own side, and the terms of the match. */
static void show_game(i32 seat) {
    for (i32 own = 0; own < 2; own++)
        for (i32 other = 0; other < 2; other++) {
            i32 cell = seat == 0 ? MATRIX_CELL(own, other) : MATRIX_CELL(other, own);
            view[seat][SEEN_PAYOFFS + MATRIX_CELL(own, other)] = (u8)table.payoff[seat][cell];
            view[seat][SEEN_OTHERS + MATRIX_CELL(own, other)] = (u8)table.payoff[!seat][cell];
        }
    view[seat][0] = view[seat][1] = MATRIX_NONE;
    view[seat][SEEN_TERMS] = table.rounds;
    view[seat][SEEN_TERMS + 1] = table.continuation;
    view[seat][SEEN_TERMS + 2] = table.noise;
    view[seat][SEEN_TERMS + 3] = MATRIX_MOST_ROUNDS;
}

NETS_EXPORT(reset) void reset(i64 seed) {
    draws_start(&draws, (u64)seed);
    __builtin_memset(&table, 0, sizeof(table));
    __builtin_memset(view, 0, sizeof(view));
    for (i32 i = 0; i < 2 * MATRIX_CELLS; i++)
        table.payoff[i / MATRIX_CELLS][i % MATRIX_CELLS] = (signed char)parameters[i].value;
    table.rounds = (u8)parameters[MATRIX_ROUNDS].value;
    table.continuation = (u8)parameters[MATRIX_CONTINUATION].value;
    table.noise = (u8)parameters[MATRIX_NOISE].value;
    table.aside = MATRIX_NONE;
    show_game(0);
    show_game(1);
    toss_coins();
}

/* Writes a finished round into the view of SEAT. */
static void tell(i32 seat, i32 own, i32 other) {
    u8 *row = view[seat] + MATRIX_HEADER + table.played * MATRIX_ROW;
    view[seat][0] = row[1] = (u8)other;
    view[seat][1] = row[0] = (u8)own;
    view[seat][2] = table.played + 1;
    short *totals = (short *)(view[seat] + SEEN_TOTALS);
    totals[0] = table.total[seat];
    totals[1] = table.total[!seat];
}

static void end_round(i32 first, i32 second) {
    i32 slips[2];
    for (i32 seat = 0; seat < 2; seat++) slips[seat] = draw_percent(table.noise);
    i32 goes_on = draw_percent(table.continuation);
    first ^= slips[0];
    second ^= slips[1];
    signed char *row = table.row[table.played];
    row[0] = (signed char)(first + 2 * slips[0]);
    row[1] = (signed char)(second + 2 * slips[1]);
    for (i32 seat = 0; seat < 2; seat++) {
        row[2 + seat] = table.payoff[seat][MATRIX_CELL(first, second)];
        table.total[seat] += row[2 + seat];
    }
    tell(0, first, second);
    tell(1, second, first);
    table.played++;
    table.aside = MATRIX_NONE;
    table.over = table.played == MATRIX_MOST_ROUNDS || (table.played >= table.rounds && !goes_on);
    toss_coins();
}

NETS_EXPORT(is_done) i32 is_done(void) { return table.over; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action == MATRIX_C || action == MATRIX_D; }

NETS_EXPORT(step) void step(i64 action) {
    if (table.over || !is_legal(action)) return;
    if (table.to_move == 0)
        table.aside = (u8)action;
    else
        end_round(table.aside, (i32)action);
    table.to_move ^= 1;
}

NETS_EXPORT(to_move) i32 to_move(void) { return table.to_move; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view[table.to_move]; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view[table.to_move], MATRIX_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(&table, sizeof(table)); }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 || seat == 1 ? table.total[seat] : 0; }

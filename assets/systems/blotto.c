/* Colonel Blotto: a hundred soldiers, six fields, fifty rounds. Two seats. ABI v1; see nets.h and blotto.h. The game
 * is from E. Borel, "La théorie du jeu et les équations intégrales à noyau symétrique", 1921.
 *
 * Rules. Each field is worth 2, 4, 6 or 8 points, drawn once a match. Every round both players spread all their
 * soldiers; who has more on a field takes its points, equal numbers share them. The score is the points of all rounds.
 *
 * The rounds are simultaneous: seat 0 places first, but what it placed reaches the view of seat 1 only when seat 1 has
 * placed too. Draws, in order: what each field is worth (2 + 2 * below 4), then in each round a word of 32 random bits
 * for seat 0 and one for seat 1, which nobody else sees: agents have no randomness of their own.
 */
#include "blotto.h"
#include "draws.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from blotto.json"
#endif

_Static_assert(NETS_MAX_STEPS == 2 * BLOTTO_ROUNDS, "both seats move in every round");
_Static_assert(BLOTTO_ROUNDS < 64, "the packed observation has six bits for the round");

/* What a spectator sees: all of it. Of a round in which seat 1 has yet to place, its soldiers are 0. */
#define STATE_HEADER 26
static struct {
    u8 round, played, to_move, worth[BLOTTO_FIELDS], soldiers[2][BLOTTO_FIELDS], spare;
    u16 points[2];
    u8 row[BLOTTO_ROUNDS][BLOTTO_ROW]; /* soldiers of seat 0, of seat 1, points of seat 0, of seat 1 */
} ground;

_Static_assert(sizeof(ground) == STATE_HEADER + BLOTTO_ROUNDS * BLOTTO_ROW, "as blotto.json says");

static u8 view[2][BLOTTO_BYTES] __attribute__((aligned(16)));
static Draws draws;

_Static_assert(BLOTTO_BYTES % 4 == 0, "so that the second view is aligned too");

/* Begins a round: what both knew of the last one and their coins go into the views. */
static void begin_round(void) {
    ground.round = ground.played;
    u64 known = (u64)ground.round << 47;
    for (i32 field = 0; field < BLOTTO_FIELDS; field++)
        known |= (u64)(ground.worth[field] / 2 - 1) << (35 + 2 * field);
    for (i32 seat = 0; seat < 2; seat++) {
        u32 coins = draws_word(&draws);
        u64 packed = known | (u64)coins << 53;
        for (i32 field = 0; field < BLOTTO_FIELDS - 1; field++)
            packed |= (u64)ground.soldiers[!seat][field] << BLOTTO_BITS * field;
        __builtin_memcpy(view[seat], &packed, 8);
        __builtin_memcpy(view[seat] + 8, &ground.points[seat], 2);
        __builtin_memcpy(view[seat] + 10, &ground.points[!seat], 2);
        view[seat][12] = ground.played;
        __builtin_memcpy(view[seat] + 20, &coins, 4);
    }
}

NETS_EXPORT(reset) void reset(i64 seed) {
    draws_start(&draws, (u64)seed);
    __builtin_memset(&ground, 0, sizeof(ground));
    __builtin_memset(view, 0, sizeof(view));
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) {
        ground.worth[field] = (u8)(2 + 2 * draws_below(&draws, 4));
        view[0][14 + field] = view[1][14 + field] = ground.worth[field];
    }
    view[0][13] = view[1][13] = BLOTTO_ROUNDS;
    begin_round();
}

/* Writes the round that just ended into the view of SEAT. */
static void tell(i32 seat, const u8 *won) {
    u8 *row = view[seat] + BLOTTO_HEADER + ground.round * BLOTTO_ROW;
    __builtin_memcpy(row, ground.soldiers[seat], BLOTTO_FIELDS);
    __builtin_memcpy(row + BLOTTO_FIELDS, ground.soldiers[!seat], BLOTTO_FIELDS);
    row[2 * BLOTTO_FIELDS] = won[seat];
    row[2 * BLOTTO_FIELDS + 1] = won[!seat];
}

static void end_round(void) {
    u8 won[2] = {0, 0}, *row = ground.row[ground.round];
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) {
        i32 ours = ground.soldiers[0][field], theirs = ground.soldiers[1][field], worth = ground.worth[field];
        won[0] += (u8)(ours > theirs ? worth : ours == theirs ? worth / 2 : 0);
        won[1] += (u8)(theirs > ours ? worth : ours == theirs ? worth / 2 : 0);
    }
    __builtin_memcpy(row, ground.soldiers, 2 * BLOTTO_FIELDS);
    __builtin_memcpy(row + 2 * BLOTTO_FIELDS, won, 2);
    ground.points[0] += won[0];
    ground.points[1] += won[1];
    ground.played++;
    tell(0, won);
    tell(1, won);
    if (ground.played < BLOTTO_ROUNDS) begin_round();
}

NETS_EXPORT(is_done) i32 is_done(void) { return ground.played == BLOTTO_ROUNDS; }

NETS_EXPORT(is_legal) i32 is_legal(i64 action) {
    i32 placed = 0;
    for (i32 field = 0; field < BLOTTO_FIELDS; field++) placed += blotto_soldiers(action, field);
    return (u64)action >> BLOTTO_BITS * BLOTTO_FIELDS == 0 && placed == BLOTTO_SOLDIERS;
}

NETS_EXPORT(step) void step(i64 action) {
    if (is_done() || !is_legal(action)) return;
    i32 seat = ground.to_move;
    if (seat == 0) __builtin_memset(ground.soldiers, 0, sizeof(ground.soldiers));
    for (i32 field = 0; field < BLOTTO_FIELDS; field++)
        ground.soldiers[seat][field] = (u8)blotto_soldiers(action, field);
    ground.to_move ^= 1;
    if (seat == 1) end_round();
}

NETS_EXPORT(to_move) i32 to_move(void) { return ground.to_move; }
NETS_EXPORT(observe) i64 observe(void) {
    i64 packed;
    __builtin_memcpy(&packed, view[ground.to_move], 8);
    return packed;
}
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view[ground.to_move], BLOTTO_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(&ground, sizeof(ground)); }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 || seat == 1 ? ground.points[seat] : 0; }

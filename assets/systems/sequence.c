/* Sequence prediction: say what comes next. One seat. ABI v1; see nets.h and sequence.h.
 *
 * Rules. A hidden process writes one symbol a step; who predicted it gets a point. The match lasts NETS_MAX_STEPS
 * steps. The process is drawn from four families, with all its parameters, and then runs on draws of its own:
 *
 *     periodic    a pattern of 2 to 12 symbols over and over, not all alike; up to a quarter of the symbols are noise
 *     Markov      the last one to three symbols decide which one is the favourite; it comes more often than the others
 *     feedback    a sum of earlier symbols, three to eight back at most, modulo the size of the alphabet; no noise
 *     switching   two Markov processes of order one or two; every now and then the other one goes on
 *
 * "Noise" is a symbol drawn evenly from the alphabet, which may be the expected one. All draws, in order:
 *
 *     the alphabet's size, 2 + below 2; the family, below 4; then
 *     periodic    period 2 + below 11; noise below 64; each symbol of the pattern. A pattern of one symbol alone has
 *                 its first replaced by the next one of the alphabet.
 *                 Each step: below 256, noise when it is less than the noise drawn above, then below the alphabet.
 *     Markov      order 1 + below 3; noise 16 + below 112; the favourite of each context; the `order` symbols before
 *                 the first. Each step as above.
 *     feedback    length 3 + below 6; each coefficient, the last one 1 + below (alphabet - 1); the `length` symbols
 *                 before the first, and when all are 0 the newest of them becomes 1. Steps draw nothing.
 *     switching   order 1 + below 2; noise below 64; chance to switch 4 + below 13; the favourites of the one process,
 *                 then of the other; the `order` symbols before the first.
 *                 Each step: below 256, a switch when it is less than the chance; then as above.
 *
 * A context counts the newest symbol once, the one before times the size of the alphabet, and so on.
 */
#include "draws.h"
#include "sequence.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from sequence.json"
#endif

_Static_assert(NETS_MAX_STEPS == SEQUENCE_STEPS, "the match ends with the sequence");

#define MAX_PERIOD 12
#define MAX_LENGTH 8
#define MAX_CONTEXTS 27

enum { PERIODIC, MARKOV, FEEDBACK, SWITCHING };

/* What a spectator sees. `reach` is the period, the order or the length; `active` the process of two that goes on. */
#define STATE_ROW 3
static struct {
    u8 family, alphabet, reach, noise, active, chance;
    u16 played, right;
    u8 row[SEQUENCE_STEPS][STATE_ROW]; /* symbol, prediction, 1 when right */
} shown;

_Static_assert(sizeof(shown) == 10 + SEQUENCE_STEPS * STATE_ROW, "as sequence.json says");

static u8 view[SEQUENCE_BYTES] __attribute__((aligned(16)));
static Draws draws;
static u8 pattern[MAX_PERIOD], coefficient[MAX_LENGTH], favourite[2][MAX_CONTEXTS];
/* The last symbols, newest first, those before the first one included. */
static u8 past[MAX_LENGTH];

static u8 any_symbol(void) { return (u8)draws_below(&draws, shown.alphabet); }
static u8 between(u32 least, u32 count) { return (u8)(least + draws_below(&draws, count)); }

/* Draws COUNT symbols into WHERE; returns whether they are all equal to the first. */
static i32 fill(u8 *where, i32 count) {
    i32 alike = 1;
    for (i32 i = 0; i < count; i++) {
        where[i] = any_symbol();
        alike &= where[i] == where[0];
    }
    return alike;
}

static i32 contexts(void) {
    i32 count = shown.alphabet;
    for (i32 i = 1; i < shown.reach; i++) count *= shown.alphabet;
    return count;
}

static void choose_periodic(void) {
    shown.reach = between(2, MAX_PERIOD - 1);
    shown.noise = between(0, 64);
    if (fill(pattern, shown.reach)) pattern[0] = (u8)((pattern[0] + 1) % shown.alphabet);
}

static void choose_markov(void) {
    shown.reach = between(1, 3);
    shown.noise = between(16, 112);
    fill(favourite[0], contexts());
    fill(past, shown.reach);
}

static void choose_feedback(void) {
    shown.reach = between(3, MAX_LENGTH - 2);
    fill(coefficient, shown.reach - 1);
    coefficient[shown.reach - 1] = between(1, shown.alphabet - 1u);
    if (fill(past, shown.reach) && past[0] == 0) past[0] = 1;
}

static void choose_switching(void) {
    shown.reach = between(1, 2);
    shown.noise = between(0, 64);
    shown.chance = between(4, 13);
    fill(favourite[0], contexts());
    fill(favourite[1], contexts());
    fill(past, shown.reach);
}

/* Brings the header of the view up to date. */
static void refresh(void) {
    u64 recent = *(u64 *)view << 2 & 0xFFFFFFFFFFFF;
    if (shown.played > 0) recent |= past[0];
    *(u64 *)view = recent | (u64)shown.played << 48 | (u64)shown.alphabet << 58;
    *(u16 *)(view + 8) = shown.right;
}

NETS_EXPORT(reset) void reset(i64 seed) {
    static void (*const choose[4])(void) = {choose_periodic, choose_markov, choose_feedback, choose_switching};
    draws_start(&draws, (u64)seed);
    __builtin_memset(&shown, 0, sizeof(shown));
    __builtin_memset(past, 0, sizeof(past));
    shown.alphabet = between(2, 2);
    shown.family = between(0, 4);
    choose[shown.family]();
    __builtin_memset(view, 0, SEQUENCE_HEADER);
    __builtin_memset(view + SEQUENCE_HEADER, SEQUENCE_UNSEEN, SEQUENCE_STEPS);
    *(u16 *)(view + 10) = SEQUENCE_STEPS;
    refresh();
}

/* EXPECTED, or noise in its place. */
static u8 noisy(u8 expected) { return draws_below(&draws, 256) < shown.noise ? any_symbol() : expected; }

static u8 from_context(void) {
    i32 context = 0;
    for (i32 i = shown.reach - 1; i >= 0; i--) context = context * shown.alphabet + past[i];
    return noisy(favourite[shown.active][context]);
}

static u8 from_feedback(void) {
    i32 sum = 0;
    for (i32 i = 0; i < shown.reach; i++) sum += coefficient[i] * past[i];
    return (u8)(sum % shown.alphabet);
}

static u8 next_symbol(void) {
    if (shown.family == PERIODIC) return noisy(pattern[shown.played % shown.reach]);
    if (shown.family == FEEDBACK) return from_feedback();
    if (shown.family == SWITCHING && draws_below(&draws, 256) < shown.chance) shown.active ^= 1;
    return from_context();
}

NETS_EXPORT(is_done) i32 is_done(void) { return shown.played == SEQUENCE_STEPS; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action >= 0 && action < shown.alphabet; }

NETS_EXPORT(step) void step(i64 action) {
    if (is_done() || !is_legal(action)) return;
    u8 symbol = next_symbol();
    __builtin_memmove(past + 1, past, MAX_LENGTH - 1);
    past[0] = symbol;
    u8 *row = shown.row[shown.played];
    row[0] = symbol;
    row[1] = (u8)action;
    row[2] = symbol == action;
    view[SEQUENCE_HEADER + shown.played] = symbol;
    shown.right += row[2];
    shown.played++;
    refresh();
}

NETS_EXPORT(to_move) i32 to_move(void) { return 0; }
NETS_EXPORT(observe) i64 observe(void) { return *(i64 *)view; }
NETS_EXPORT(observe_bytes) i64 observe_bytes(void) { return NETS_SLICE(view, SEQUENCE_BYTES); }
NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(&shown, sizeof(shown)); }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 ? shown.right : 0; }

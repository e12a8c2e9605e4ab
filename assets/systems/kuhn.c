/* Kuhn poker, many hands. Two seats. ABI v1; see nets.h and kuhn.h. The game is from H. W. Kuhn, "A simplified
 * two-person poker", 1950.
 *
 * Rules. Each hand both players pay one chip and get a card of J, Q, K; the third stays unseen. Who acts first may
 * check or bet a chip; after a check the other may check or bet; who faces a bet folds or calls. A fold leaves the pot
 * to the other, otherwise the higher card takes it. The players take turns in acting first. After KUHN_HANDS hands the
 * score is the chips won, negative when lost.
 *
 * What stays hidden. A player's view is written from what that player may know: own cards, actions, and the cards that
 * a showdown turned up. A card that was folded, or that beat a fold, is never shown, during the match or later.
 *
 * Each hand takes two draws: the deal, and a coin of 16 bits for each seat. Agents have no randomness of their own, and
 * an agent without any could be read from its module; with a coin that only it sees, it can mix strategies truly.
 */
#include "draws.h"
#include "kuhn.h"

#ifndef NETS_MAX_STEPS
#error "the build script passes NETS_MAX_STEPS from kuhn.json"
#endif

_Static_assert(NETS_MAX_STEPS >= 3 * KUHN_HANDS, "the last hand must end within the match");

/* What a spectator sees: all of it. The rules work on these bytes. The rows are like those of the players, with both
 * cards and both seats' chips: card, card, seat that acted first, line, chips of seat 0, chips of seat 1. */
#define STATE_HEADER 16
#define STATE_ROW 6
static struct {
    u8 card[2], first, pot, hand, n_actions, actions[3], to_move, played, line;
    short chips[2];
    signed char row[KUHN_HANDS][STATE_ROW];
} table;

_Static_assert(sizeof(table) == STATE_HEADER + KUHN_HANDS * STATE_ROW, "as kuhn.json says");

/* Actions as a spectator reads them. */
enum { CHECKS, BETS, FOLDS, CALLS };

static const u8 deals[6][2] = {{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}};
static u8 view[2][KUHN_BYTES];
static u16 coin[2];
static Draws draws;

static void deal(void) {
    const u8 *cards = deals[draws_below(&draws, 6)];
    u32 coins = draws_word(&draws);
    for (i32 seat = 0; seat < 2; seat++) {
        table.card[seat] = cards[seat];
        coin[seat] = (u16)(coins >> 16 * seat);
    }
    table.hand = table.played;
    table.first = table.to_move = table.hand & 1;
    table.pot = 2;
    table.line = KUHN_START;
    table.n_actions = 0;
    __builtin_memset(table.actions, 0, sizeof(table.actions));
}

NETS_EXPORT(reset) void reset(i64 seed) {
    draws_start(&draws, (u64)seed);
    __builtin_memset(&table, 0, sizeof(table));
    __builtin_memset(view, 0, sizeof(view));
    for (i32 seat = 0; seat < 2; seat++) {
        view[seat][5] = KUHN_HIDDEN;
        view[seat][11] = KUHN_HANDS;
    }
    deal();
}

/* Writes the hand that just ended into the view of SEAT: the other's card only when both were turned up. */
static void tell(i32 seat, i32 won) {
    u8 *row = view[seat] + KUHN_HEADER + table.hand * KUHN_ROW;
    row[0] = table.card[seat];
    row[1] = kuhn_is_fold(table.line) ? KUHN_HIDDEN : table.card[!seat];
    row[2] = seat == table.first;
    row[3] = table.line;
    row[4] = (u8)won;
    view[seat][4] = table.line;
    view[seat][5] = row[1];
    *(short *)(view[seat] + 8) = table.chips[seat];
    view[seat][10] = table.played;
}

static void end_hand(void) {
    i32 won = kuhn_won(table.line, table.card[0], table.card[1], table.first == 0);
    table.chips[0] += (short)won;
    table.chips[1] -= (short)won;
    signed char *row = table.row[table.hand];
    row[0] = (signed char)table.card[0];
    row[1] = (signed char)table.card[1];
    row[2] = (signed char)table.first;
    row[3] = (signed char)table.line;
    row[4] = (signed char)won;
    row[5] = (signed char)-won;
    table.played++;
    tell(0, won);
    tell(1, -won);
    if (table.played < KUHN_HANDS) deal();
}

NETS_EXPORT(is_done) i32 is_done(void) { return table.played == KUHN_HANDS; }
NETS_EXPORT(is_legal) i32 is_legal(i64 action) { return action == KUHN_PASS || action == KUHN_BET; }

NETS_EXPORT(step) void step(i64 action) {
    if (is_done() || !is_legal(action)) return;
    i32 faces_bet = table.line >= KUHN_FACES_BET;
    table.actions[table.n_actions++] = (u8)(action + (faces_bet ? FOLDS : CHECKS));
    table.pot += (u8)action;
    table.line = (u8)kuhn_next(table.line, (i32)action);
    if (kuhn_is_end(table.line))
        end_hand();
    else
        table.to_move = table.first ^ !kuhn_first_acts(table.line);
}

NETS_EXPORT(to_move) i32 to_move(void) { return table.to_move; }

NETS_EXPORT(observe) i64 observe(void) {
    u8 *own = view[table.to_move];
    own[0] = table.card[table.to_move];
    own[1] = table.line;
    own[2] = table.hand;
    own[3] = table.first == table.to_move;
    *(u16 *)(own + 6) = coin[table.to_move];
    return *(i64 *)own;
}

NETS_EXPORT(observe_bytes) i64 observe_bytes(void) {
    observe();
    return NETS_SLICE(view[table.to_move], KUHN_BYTES);
}

NETS_EXPORT(state) i64 state(void) { return NETS_SLICE(&table, sizeof(table)); }
NETS_EXPORT(score) i64 score(i32 seat) { return seat == 0 || seat == 1 ? table.chips[seat] : 0; }

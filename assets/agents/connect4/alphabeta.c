/* Alpha-beta: searches as deep as its gas allows, one stone deeper each time, on bitboards.
 *
 *   1. A win at hand is played.
 *   2. Otherwise the tree is searched with alpha and beta bounds, to depth 1, 2, 3 ... until NODES positions were seen;
 *      the deepest search that was finished decides. Forced moves are followed without counting as depth.
 *   3. Moves that let the opponent win at once are never looked at; the rest are tried best known first, then from the
 *      middle outwards.
 *   4. Positions are kept in a table from search to search and from move to move.
 *   5. At the leaves a free cell that would complete four counts for its owner, more so in a row of the right parity:
 *      odd rows for who began, even ones for the other (Allis, 1988).
 * Source of the search: Knuth and Moore, "An analysis of alpha-beta pruning", 1975. */
#include "connect4.h"

#define NODES 1100
#define WIN 10000
#define ENTRIES 8192
#define ODD_ROWS 0x0015151515151515ull

typedef struct {
    u64 key;
    short value;
    u8 depth, bound, column;
} Entry;
enum { EXACT = 1, AT_LEAST, AT_MOST };

static const u8 order[CONNECT4_WIDTH] = {3, 2, 4, 1, 5, 0, 6};
static Entry table[ENTRIES];
static i32 nodes;

static i32 count(u64 cells) { return __builtin_popcountll(cells); }

/* How good the position seems for who is to move; never as much as a win. THEIRS are the threats of the other. */
static i32 evaluate(u64 own, u64 taken, u64 theirs) {
    u64 mine = connect4_threats(own, taken), good = count(taken) & 1 ? ~ODD_ROWS : ODD_ROWS;
    i32 middle = count(own & CONNECT4_COLUMN(3)) - count((own ^ taken) & CONNECT4_COLUMN(3));
    return 4 * (count(mine) - count(theirs)) + 40 * (count(mine & good) - count(theirs & ~good)) + 6 * middle;
}

static Entry *entry_of(u64 key) { return &table[key * 0x9E3779B97F4A7C15ull >> 51]; }

/* The value for who is to move and cannot win at once; a loss in n stones is n - WIN. */
static i32 search(u64 own, u64 taken, i32 depth, i32 alpha, i32 beta) {
    u64 moves = connect4_moves(taken), other = own ^ taken;
    if (!moves) return 0;
    nodes++;
    i32 lost = count(taken) + 2 - WIN;
    u64 theirs = connect4_threats(other, taken), forced = moves & theirs;
    if (forced & (forced - 1)) return lost;
    if (forced) moves = forced;
    moves &= ~(theirs >> 1);
    if (!moves) return lost;
    if (forced) return -search(other, taken | moves, depth, -beta, -alpha);
    if (depth == 0) return evaluate(own, taken, theirs);
    if (nodes > NODES) return 0; /* nobody looks at it any more */

    u64 key = own | (taken + CONNECT4_BOTTOM);
    Entry *entry = entry_of(key);
    i32 first = CONNECT4_WIDTH, start = alpha, best = -WIN;
    if (entry->key == key) {
        i32 value = entry->value;
        if (entry->depth >= depth && (entry->bound == EXACT || (entry->bound == AT_LEAST && value >= beta) ||
                                      (entry->bound == AT_MOST && value <= alpha)))
            return value;
        first = entry->column;
    }
    i32 column = first;
    for (i32 i = -1; i < CONNECT4_WIDTH; i++) {
        i32 next = i < 0 ? first : order[i];
        u64 cell = next < CONNECT4_WIDTH ? moves & CONNECT4_COLUMN(next) : 0;
        if (!cell || (i >= 0 && next == first)) continue;
        i32 value = -search(other, taken | cell, depth - 1, -beta, -alpha);
        if (nodes > NODES) return 0;
        if (value > best) {
            best = value;
            column = next;
        }
        if (value > alpha) alpha = value;
        if (alpha >= beta) break;
    }
    i32 bound = best >= beta ? AT_LEAST : best > start ? EXACT : AT_MOST;
    *entry = (Entry){key, (short)best, (u8)depth, (u8)bound, (u8)column};
    return best;
}

/* The best of MOVES by a search of DEPTH; FIRST is tried first. -1 when the nodes ran out. */
static i32 deepen(Connect4 p, u64 moves, i32 depth, i32 first) {
    i32 best = -1, alpha = -WIN;
    for (i32 i = -1; i < CONNECT4_WIDTH; i++) {
        i32 next = i < 0 ? first : order[i];
        u64 cell = moves & CONNECT4_COLUMN(next);
        if (!cell || (i >= 0 && next == first)) continue;
        i32 value = -search(p.own ^ p.taken, p.taken | cell, depth - 1, -WIN, -alpha);
        if (nodes > NODES) return -1;
        if (best < 0 || value > alpha) best = next;
        if (value > alpha) alpha = value;
    }
    return best;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    Connect4 p = connect4_read(packed);
    u64 moves = connect4_moves(p.taken), theirs = connect4_threats(p.own ^ p.taken, p.taken);
    u64 good = moves & connect4_threats(p.own, p.taken);
    if (!good) good = moves & theirs;
    if (good) return connect4_column(good);
    good = moves & ~(theirs >> 1);
    if (!good) return connect4_column(moves);
    i32 best = connect4_column(good), left = CONNECT4_CELLS - count(p.taken);
    nodes = 0;
    for (i32 depth = 1; depth <= left; depth++) {
        i32 found = deepen(p, good, depth, best);
        if (found < 0) break;
        best = found;
    }
    return best;
}

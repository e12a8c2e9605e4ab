/* Lines: reads the board cell by cell from its mailbox, and weighs the 69 lines of four cells. A line that holds stones
 * of one colour only is worth more the more it holds; a cell is worth what the lines through it are worth, one's own
 * and those of the opponent that a stone there would spoil. It does not look ahead, except that it never puts a stone
 * right under a cell where the opponent would win. */
#include "connect4.h"

NETS_MAILBOX(mail, 64)

/* What a stone in a line is worth that holds so many of one colour already. */
static const i32 own_worth[4] = {1, 4, 16, 100000}, their_worth[4] = {1, 3, 12, 10000};

static i32 at(i32 x, i32 y) {
    if (x < 0 || x >= CONNECT4_WIDTH || y < 0 || y >= CONNECT4_HEIGHT) return -1;
    return mail[CONNECT4_HEADER + y * CONNECT4_WIDTH + x];
}

/* What the line of four that begins at (X, Y) is worth to who drops a stone into it. */
static i32 line_worth(i32 x, i32 y, i32 dx, i32 dy) {
    i32 count[3] = {0};
    for (i32 i = 0; i < 4; i++) {
        i32 cell = at(x + i * dx, y + i * dy);
        if (cell < 0) return 0;
        count[cell]++;
    }
    i32 own = CONNECT4_FIRST + mail[8], theirs = CONNECT4_SECOND - mail[8];
    if (count[own] && count[theirs]) return 0;
    return count[own] ? own_worth[count[own]] : their_worth[count[theirs]];
}

static i32 cell_worth(i32 x, i32 y) {
    static const signed char directions[4][2] = {{1, 0}, {0, 1}, {1, 1}, {1, -1}};
    i32 sum = 0;
    for (i32 d = 0; d < 4; d++)
        for (i32 back = 0; back < 4; back++)
            sum += line_worth(x - back * directions[d][0], y - back * directions[d][1], directions[d][0],
                              directions[d][1]);
    return sum;
}

NETS_EXPORT(decide) i64 decide(i64 packed) {
    Connect4 p = connect4_read(packed);
    u64 theirs = connect4_threats(p.own ^ p.taken, p.taken);
    i32 best = -1, most = 0;
    for (i32 x = 0; x < CONNECT4_WIDTH; x++) {
        i32 y = CONNECT4_HEIGHT - 1;
        while (y >= 0 && at(x, y) != CONNECT4_EMPTY) y--;
        if (y < 0) continue;
        i32 worth = cell_worth(x, y);
        /* Better than nothing still, but worse than all that is safe. */
        if (theirs >> 1 & connect4_moves(p.taken) & CONNECT4_COLUMN(x)) worth = worth < 10000 ? -1 : worth;
        if (best < 0 || worth > most) {
            most = worth;
            best = x;
        }
    }
    return best;
}

/* Centre: drops every stone as near to the middle as it can, and never looks at the stones of the other. */
#include "connect4.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    static const u8 order[CONNECT4_WIDTH] = {3, 2, 4, 1, 5, 0, 6};
    u64 moves = connect4_moves(connect4_read(packed).taken);
    for (i32 i = 0; i < CONNECT4_WIDTH; i++)
        if (moves & CONNECT4_COLUMN(order[i])) return order[i];
    return 0;
}

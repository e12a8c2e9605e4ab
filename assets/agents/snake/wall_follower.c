/* Wall follower: keeps going until a move is deadly, then turns right (or left, when right is deadly too). It leaves
 * its wall only for an apple that lies straight ahead of a turn: in its row or in its column. */
#include "snake.h"

static i32 is_deadly(i64 packed, i32 towards) { return snake_deadly(packed) >> towards & 1; }

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 heading = snake_direction(packed);
    i32 in_line = snake_apple_x(packed) == snake_head_x(packed) || snake_apple_y(packed) == snake_head_y(packed);
    i32 wish = in_line ? snake_towards_apple(packed) : heading;
    if (!is_deadly(packed, wish)) return wish;
    if (!is_deadly(packed, heading)) return heading;
    i32 right = (heading + 1) & 3;
    return is_deadly(packed, right) ? (heading + 3) & 3 : right;
}

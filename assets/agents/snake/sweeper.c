/* Sweeper: needs nothing but the head's place, the lowest 16 bits. It walks one round trip over the whole board for
 * ever: up the rows from the bottom, to and fro between column 1 and the right wall, and back down along column 0.
 * The round passes every cell, so the sweeper never dies, and eats slowly. */
#include "snake.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 x = snake_head_x(packed), y = snake_head_y(packed);
    if (x == 0) return y == SNAKE_HEIGHT - 1 ? SNAKE_RIGHT : SNAKE_DOWN;
    if (y == 0) return SNAKE_LEFT;
    if (y & 1) return x == SNAKE_WIDTH - 1 ? SNAKE_UP : SNAKE_RIGHT;
    return x == 1 ? SNAKE_UP : SNAKE_LEFT;
}

/* Greedy: walks straight to the apple and never looks where it treads. It only refuses to turn back on its own neck. */
#include "snake.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 heading = snake_direction(packed);
    i32 wish = snake_towards_apple(packed);
    if (wish != (heading ^ 2)) return wish;
    /* The apple lies behind: turn aside, away from the nearer wall. */
    if (heading & 1) return snake_head_y(packed) < SNAKE_HEIGHT / 2 ? SNAKE_DOWN : SNAKE_UP;
    return snake_head_x(packed) < SNAKE_WIDTH / 2 ? SNAKE_RIGHT : SNAKE_LEFT;
}

/* Random mover: any legal move. It takes its moves from the mailbox, so this is also the shortest agent that plays a
 * whole game. */
#include "chess_agent.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    chess_stir(packed);
    return chess_mail()->moves[chess_roll(chess_count(packed))];
}

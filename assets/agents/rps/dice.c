/* Dice: shows what its coin says, each move one time in three. This is the equilibrium: nobody can win from it in the
 * long run, and it wins from nobody. */
#include "rps.h"

NETS_EXPORT(decide) i64 decide(i64 packed) { return rps_by_coin(packed); }

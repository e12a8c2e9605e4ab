/* Equilibrium: a Nash strategy, so nobody wins from it in the long run. Its coin decides where the strategy is mixed.
 *
 * Acting first it bets the king always and the jack one time in three, as a bluff; with the queen it checks, and calls
 * a bet two times in three. Acting second it bets the king, bluffs with the jack one time in three, and calls with the
 * queen one time in three. Who acts first loses 1/18 of a chip a hand, who acts second wins it. Source: Kuhn, 1950;
 * this is the member of his family of solutions with a = 1/3. */
#include "kuhn.h"

NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 line = kuhn_line(packed), card = kuhn_card(packed);
    i32 one_in_three = kuhn_coin(packed) % 3 == 0;
    if (card == KUHN_KING) return KUHN_BET;
    if (line == KUHN_CHECKED_FACES_BET) return card == KUHN_QUEEN && !one_in_three;
    if (line == KUHN_FACES_BET) return card == KUHN_QUEEN && one_in_three;
    return card == KUHN_JACK && one_in_three;
}

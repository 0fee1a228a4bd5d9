// Package mailauth says who really sent a message: SPF, DKIM, DMARC and ARC, and
// before them the true origin, which behind Exchange Online is not our peer.
//
// Its rooms each know one standard: spf, dkim, dmarc, arc (which stands on dkim),
// and exchange for what Microsoft writes. Checker puts them together. Results are
// values, never errors: what could not be found out is a temperror or permerror.
//
// Nothing in the header is believed that a sender can write. Exchange's own fields
// count only for mail that came by the relay path, whose peer is known to be
// Exchange; Authentication-Results of others never count.
package mailauth

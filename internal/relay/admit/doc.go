// Package admit answers one question at the end of a message: whose mail is this?
//
// A message belongs to a tenant if it carries that tenant's relay key and comes
// from where Exchange Online sends from, or if its recipients' domains use us as
// their MX. Everything our own control headers say is read here and removed here:
// what leaves this package never contains a relay key, a processed header or a
// hop mark that somebody else wrote.
//
// Once a valid key was seen nothing is refused for good any more: Exchange would
// send the outside sender a non-delivery report that quotes the header, our key
// among it. Such a message is accepted and held with the reason.
package admit

// Package signin gets access tokens for Exchange Online: a person signs in
// (authorization code with PKCE, or device code), or an app registration does
// (client secret or certificate). The app registration is always the customer's
// own, in his own tenant; Postern brings none.
//
// Tokens come from Microsoft's own library. What it says when it fails is turned
// into sentences that name cause and mend, for every AADSTS code that people meet.
// A Session can be exported as octets, which hold credentials: the caller seals
// them.
package signin

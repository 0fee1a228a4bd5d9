// Package provider asks an OpenID Connect provider who somebody is: authorization
// code with PKCE, state and nonce, and a token whose issuer, audience, signature and
// times are checked. What that person may do here is not its business.
package provider

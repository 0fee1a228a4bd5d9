package login

import (
	"crypto/sha1" // the older thumbprint x5t is a SHA-1 by definition (RFC 7515 §4.1.7)
	"crypto/x509"
	"encoding/base64"
)

func sha1Print(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

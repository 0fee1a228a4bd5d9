package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"postern/internal/exchange/adminapi"
)

// keyHashes stands for the relay key where only its hash is known: a header value
// is right if it hashes to one of them.
type keyHashes [][32]byte

func (k keyHashes) match(have any) bool {
	s, ok := have.(string)
	return ok && slices.Contains(k, sha256.Sum256([]byte(s)))
}

// MarshalJSON shows nothing.
func (keyHashes) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

// hidden is v as the state keeps what we wrote: a key only as its hash.
func hidden(name string, v any) any {
	s, ok := v.(string)
	if name != "SetHeaderValue" || !ok || s == "true" {
		return v
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// maskedValue is the value of name in v as v prints it.
func maskedValue(v Values, name string) any { return adminapi.Mask(v)[name] }

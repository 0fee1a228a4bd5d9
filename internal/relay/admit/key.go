package admit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// keyPrefix makes a leaked key easy to find in logs and code.
const keyPrefix = "postern-"

// secretLen is 256 bits in base 32.
const secretLen = 52

var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewKey makes a relay key: "postern-", an id of 8 characters, "-", and 256 random
// bits in base 32 (lower case). It is safe in a header and in a rule's value. Only
// its hash is to be kept.
func NewKey() (key, id string) {
	var raw [37]byte
	rand.Read(raw[:]) // never fails (Go 1.24)
	id = keyText.EncodeToString(raw[:5])
	return keyPrefix + id + "-" + keyText.EncodeToString(raw[5:]), id
}

// HashKey is what is stored of a key and looked up: keys carry 256 bits of
// randomness, so one plain SHA-256 is enough, and looking up a hash leaks nothing
// of the key through time.
func HashKey(key string) [32]byte { return sha256.Sum256([]byte(key)) }

// LooksLikeKey reports whether s has the form NewKey makes.
func LooksLikeKey(s string) bool {
	rest, ok := strings.CutPrefix(s, keyPrefix)
	return ok && len(rest) == 8+1+secretLen && rest[8] == '-'
}

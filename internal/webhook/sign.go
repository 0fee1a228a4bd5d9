package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrSignature means that a notice is not from who has the secret, or is old.
var ErrSignature = errors.New("signature does not verify")

// Sign is the value of Postern-Signature for a body sent at that time.
func Sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret []byte, t string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Verify is the receiver's side: the signature is of this body under secret, and
// was made at most age before or after now. The error is ErrSignature.
func Verify(secret []byte, signature string, body []byte, now time.Time, age time.Duration) error {
	var t string
	var sums []string
	for field := range strings.SplitSeq(signature, ",") {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "t":
			t = value
		case "v1":
			sums = append(sums, value) // several while a secret is being changed
		}
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > age {
		return ErrSignature
	}
	for _, s := range sums {
		if sum, err := hex.DecodeString(s); err == nil && hmac.Equal(sum, mac(secret, t, body)) {
			return nil
		}
	}
	return ErrSignature
}

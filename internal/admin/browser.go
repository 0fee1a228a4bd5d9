package admin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"postern/internal/store"
)

// KnownFor is how long a browser is known after a sign-in.
const KnownFor = 90 * 24 * time.Hour

// Octets of what a known browser keeps: an id, the end in Unix seconds, and a MAC.
const (
	knownID  = 16
	knownEnd = knownID + 8
)

// Known is what a browser keeps after a user has proved everything in it, so that
// the next time its wrong tries are counted by themselves, and strangers who guess
// at the account do not keep its user out. It opens nothing. It is "" for a session
// that is not proved yet. It ends with the user's other sessions: when the password
// or a factor changes, and when the account is disabled.
func (a *Admin) Known(ctx context.Context, s store.Session) (string, error) {
	if s.Stage != StageIn {
		return "", nil
	}
	u, err := a.Store.User(ctx, s.Email)
	if err != nil {
		return "", err
	}
	raw := make([]byte, knownID, knownEnd+sha256.Size)
	rand.Read(raw)
	raw = binary.BigEndian.AppendUint64(raw, uint64(a.now().Add(KnownFor).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(raw, a.knownMAC(raw, u)...)), nil
}

// knownMAC binds a browser to the account and to all that was proved in it.
func (a *Admin) knownMAC(raw []byte, u store.User) []byte {
	key := a.Root.Derive("known browser")
	h := hmac.New(sha256.New, key[:])
	h.Write(raw)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(u.Browsers)))
	h.Write([]byte(u.ID))
	return h.Sum(nil)
}

// knows returns the id of a visitor's browser if a user signed in with it before,
// "" if not.
func (a *Admin) knows(ctx context.Context, email string, v Visitor) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(v.Known)
	if err != nil || len(raw) != knownEnd+sha256.Size {
		return "", nil
	}
	u, err := a.Store.User(ctx, email)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id, end, mac := raw[:knownID], binary.BigEndian.Uint64(raw[knownID:knownEnd]), raw[knownEnd:]
	if !hmac.Equal(mac, a.knownMAC(raw[:knownEnd], u)) || a.now().Unix() > int64(end) {
		return "", nil
	}
	return hex.EncodeToString(id), nil
}

package admin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/seal"
)

// ceremonyFor is how long a sign-in that has begun may take.
const ceremonyFor = 10 * time.Minute

// ErrCeremony means that what a browser gave back of a ceremony is not ours, too
// old, or was used before.
var ErrCeremony = mail.Refuse("this took too long or was done before: reload the page and try again")

// A ceremony is what we have to remember between two requests of somebody who has
// not proved anything yet. The browser keeps it sealed, so that strangers fill no
// table of ours; what was used is remembered until it would have ended anyway.
type ceremony struct {
	Until time.Time       `json:"until"`
	Body  json.RawMessage `json:"body"`
}

// systemCipher seals under the root key for one use, named by label.
func (a *Admin) systemCipher(label string) cipher.AEAD { return cipherOf(a.Root, label) }

func cipherOf(root *seal.Root, label string) cipher.AEAD {
	key := root.Derive(label)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 octets is always taken
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// Keep seals what the browser is to give back for that purpose.
func (a *Admin) Keep(purpose string, body any) (string, error) {
	inner, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("keep a ceremony: %w", err)
	}
	outer, err := json.Marshal(ceremony{a.now().Add(ceremonyFor), inner})
	if err != nil {
		return "", fmt.Errorf("keep a ceremony: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(a.systemCipher("ceremony").Seal(nil, nil, outer, []byte(purpose))), nil
}

// Recall opens what Keep sealed. The error is ErrCeremony.
func (a *Admin) Recall(purpose, sealed string, body any) error {
	octets, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return ErrCeremony
	}
	outer, err := a.systemCipher("ceremony").Open(nil, nil, octets, []byte(purpose))
	if err != nil {
		return ErrCeremony
	}
	var c ceremony
	if json.Unmarshal(outer, &c) != nil || a.now().After(c.Until) || json.Unmarshal(c.Body, body) != nil {
		return ErrCeremony
	}
	return nil
}

// Once makes what Keep sealed count no second time. The error is ErrCeremony.
func (a *Admin) Once(ctx context.Context, sealed string) error {
	sum := sha256.Sum256([]byte("ceremony\x00" + sealed))
	first, err := a.Store.Spend(ctx, sum[:])
	if err == nil && !first {
		err = ErrCeremony
	}
	return err
}

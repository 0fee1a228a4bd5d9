package digest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
)

// MaxLife is how long a link of a digest lives at most (safety.md R17).
const MaxLife = 7 * 24 * time.Hour

// Errors of reading a token.
var (
	ErrToken = errors.New("this link is not one of ours, or was changed on its way")
	ErrOver  = errors.New("this link has ended: it was good for seven days")
)

// A Ticket is what a link of a digest may do, once.
type Ticket struct {
	Tenant string
	Rcpt   string // as mail.FoldAddress gives it
	ID     mail.ID
	N      int
	Action mail.Permission // MayRelease or MayAsk
	Until  time.Time       // to the second
}

// Signer makes and reads tokens with HMAC-SHA-256. A token names its key, so that
// a new one can come before the old one goes.
type Signer struct{ Keys []Key } // the first signs

// A Key is a secret with the name that tokens carry.
type Key struct {
	ID     [4]byte
	Secret [32]byte
}

// NewKey names a secret by its hash.
func NewKey(secret [32]byte) Key {
	sum := sha256.Sum256(append([]byte("digest key id\x00"), secret[:]...))
	return Key{ID: [4]byte(sum[:4]), Secret: secret}
}

// A token is, in base64: the key's id, the end in Unix seconds, the action, the
// recipient's number, the message's id, and the MAC over these with tenant and
// recipient, which stand in the ledger and not in the token.
const (
	payload  = 4 + 4 + 1 + 2 + 16
	macSize  = sha256.Size
	tokenLen = payload + macSize
)

// Sign makes the token of t.
func (s Signer) Sign(t Ticket) (string, error) {
	id, err := ulid.ParseStrict(string(t.ID))
	if err != nil || len(s.Keys) == 0 {
		return "", fmt.Errorf("sign a link for %q: no message id or no key", t.ID)
	}
	b := make([]byte, 0, tokenLen)
	b = append(b, s.Keys[0].ID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(t.Until.Unix()))
	b = append(b, code(t.Action))
	b = binary.BigEndian.AppendUint16(b, uint16(t.N))
	b = append(b, id[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.Keys[0].mac(b, t.Tenant, t.Rcpt)...)), nil
}

func code(a mail.Permission) byte {
	if a == mail.MayRelease {
		return 'r'
	}
	return 'a'
}

func (k Key) mac(payload []byte, tenant, rcpt string) []byte {
	h := hmac.New(sha256.New, k.Secret[:])
	fmt.Fprintf(h, "digest link\x00%d\x00%s%d\x00%s", len(tenant), tenant, len(rcpt), rcpt)
	h.Write(payload)
	return h.Sum(nil)
}

// Read opens a token. whose tells the tenant and the folded recipient of a copy;
// its error is returned as it is. Otherwise the error is ErrToken, or ErrOver when
// the token was good once.
func (s Signer) Read(token string, now time.Time, whose func(id mail.ID, n int) (tenant, rcpt string, err error)) (Ticket, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tokenLen {
		return Ticket{}, ErrToken
	}
	t := Ticket{
		ID:     mail.ID(ulid.ULID(b[11:payload]).String()),
		N:      int(binary.BigEndian.Uint16(b[9:11])),
		Action: mail.MayAsk,
		Until:  time.Unix(int64(binary.BigEndian.Uint32(b[4:8])), 0),
	}
	if b[8] == code(mail.MayRelease) {
		t.Action = mail.MayRelease
	}
	for _, k := range s.Keys {
		if k.ID != [4]byte(b[:4]) {
			continue
		}
		if t.Tenant, t.Rcpt, err = whose(t.ID, t.N); err != nil {
			return t, err
		}
		if !hmac.Equal(b[payload:], k.mac(b[:payload], t.Tenant, t.Rcpt)) {
			return t, ErrToken
		}
		if !now.Before(t.Until) {
			return t, ErrOver
		}
		return t, nil
	}
	return Ticket{}, ErrToken
}

// Hash names a token in the list of those used.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte("digest ticket\x00" + token))
	return sum[:]
}

package seal

import (
	"encoding/base64"
	"fmt"
	"strings"

	"postern/internal/mail"
)

// The first octet of everything sealed names its format. A new format gets a new
// number; the old ones stay readable.
const (
	formatWrap   byte = 1 // nonce, tenant key, tag
	formatBlob   byte = 2 // nonce, content, tag
	formatStream byte = 3 // salt, then chunks
)

// A TenantKey seals the content of one tenant. It is safe for concurrent use and
// prints as nothing.
type TenantKey struct {
	key [keySize]byte
}

func (TenantKey) String() string   { return "tenant key" }
func (TenantKey) GoString() string { return "tenant key" }

// Overhead is how many octets longer a blob is than its content.
const Overhead = 1 + 12 + 16 // format, nonce, tag

// Seal encrypts content that fits into memory. part tells the pieces of one
// message apart ("content", "judgement"). The result is new; plaintext is only
// read.
func (k TenantKey) Seal(id mail.ID, part string, plaintext []byte) []byte {
	out := make([]byte, 1, Overhead+len(plaintext))
	out[0] = formatBlob
	return randomGCM(k.message(id)).Seal(out, nil, plaintext, binding(formatBlob, id, part))
}

// Open returns what Seal was given for the same id and part. The error is
// ErrSealed, and then nothing is returned.
func (k TenantKey) Open(id mail.ID, part string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != formatBlob {
		return nil, fmt.Errorf("open %s of %s: %w", part, id, ErrSealed)
	}
	out := make([]byte, 0, len(sealed)-Overhead)
	out, err := randomGCM(k.message(id)).Open(out, nil, sealed[1:], binding(formatBlob, id, part))
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", part, id, ErrSealed)
	}
	return out, nil
}

func (k TenantKey) message(id mail.ID) []byte {
	return derive(k.key[:], nil, "postern message\x00"+string(id))
}

// binding is the additional data of a seal. The tenant is bound by the key, which
// is its own.
func binding(format byte, id mail.ID, part string) []byte {
	b := make([]byte, 0, 2+len(id)+len(part))
	b = append(b, format)
	b = append(b, id...)
	b = append(b, 0)
	return append(b, part...)
}

// sealedText begins a text that SealText made.
const sealedText = "sealed:"

// SealText is Seal for a short secret that stands in a column of text.
func (k TenantKey) SealText(id mail.ID, part, text string) string {
	return sealedText + base64.RawStdEncoding.EncodeToString(k.Seal(id, part, []byte(text)))
}

// OpenText returns what SealText was given. A text that was never sealed, as earlier
// versions kept it, is returned as it is. The error is ErrSealed.
func (k TenantKey) OpenText(id mail.ID, part, text string) (string, error) {
	packed, ok := strings.CutPrefix(text, sealedText)
	if !ok {
		return text, nil
	}
	octets, err := base64.RawStdEncoding.DecodeString(packed)
	if err != nil {
		return "", fmt.Errorf("open %s of %s: %w", part, id, ErrSealed)
	}
	plain, err := k.Open(id, part, octets)
	return string(plain), err
}

// Sealed reports whether a text is one of SealText.
func Sealed(text string) bool { return strings.HasPrefix(text, sealedText) }

// ProcessedToken is the part under which a tenant's processed token is sealed.
const ProcessedToken = "processed-token"

package relay

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"
	"strconv"

	"postern/internal/relay/admit"
	"postern/internal/store"
)

// digest tells a message that is sent again from a new one. A client whose
// connection broke before it read our 250 sends the same message again (RFC 1047),
// with another Received field on top; all else is equal.
type digest struct{ hash.Hash }

func newDigest(res *admit.Result) digest {
	d := digest{sha256.New()}
	for _, raw := range res.Fields {
		if !bytes.EqualFold(raw[:min(len(raw), len("received:"))], []byte("received:")) {
			d.Write(raw)
		}
	}
	return d // the body follows as it is read
}

// of is the digest of one tenant's share. A message in a loop is not a resend: it
// has passed us once more.
func (d digest) of(m *store.Message) [32]byte {
	all := []string{m.Envelope.From, strconv.Itoa(m.Envelope.Pass)}
	for _, to := range m.Recipients {
		all = append(all, to.Addr)
	}
	slices.Sort(all[2:])
	whole := sha256.New()
	whole.Write(d.Sum(nil))
	for _, s := range all {
		whole.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return [32]byte(whole.Sum(nil))
}

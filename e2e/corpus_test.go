package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/corpus"
	"postern/internal/mail"
	"postern/internal/relay/mailauth/dkim"
)

// corpora are the folders of development mail that go through the relay.
var corpora = []string{"ham", "spam", "phish", "mime", "tnef-mail", "calendar", "smime", "pgp", "dsn", "charset", "oof", "evasion", "raw-exo", "dkim-real"}

// piece is one file on its way.
type piece struct {
	file string
	to   string // nobody else's, so that it is found again
	raw  []byte // as handed in, without the key's field
	bdat int
}

// TestAllDevelopmentMailGoesThrough hands every file of the development mail to
// the running relay. Each must end, and with the body that was handed in.
func TestAllDevelopmentMailGoesThrough(t *testing.T) {
	dir := corpus.Path(t)
	pieces := readPieces(t, dir)
	mta := newSink(t)
	taken := mta.collect()
	keys := publishKeys(t, mta, dir)
	p := install(t, settings{judge: true, dns: mta.dns, level: "warn"})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	began := time.Now()
	feedPieces(t, p, pieces)
	accepted := time.Since(began)
	p.drained(5 * time.Minute)
	ended := time.Since(began)
	for _, pid := range append(family(p.serving.Process.Pid), p.serving.Process.Pid) {
		if !alive(pid) {
			t.Errorf("process %d has ended", pid)
		}
	}
	keep := p.kept()
	states := checkPieces(t, keep, pieces, taken())
	t.Logf("%d messages: accepted in %s, ended in %s: %v", len(pieces), accepted.Round(time.Second), ended.Round(time.Second), states)

	p.releaseAll(keep, "dkim-real")
	p.drained(time.Minute)
	genuine := strings.Count(read(t, filepath.Join(dir, "dkim-real", "expected.tsv")), "=pass\t")
	checkSignatures(t, pieces, taken(), keys, genuine)
	p.stop()
	if log := read(t, p.log); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("the log tells of a crash:\n%s", tail(log, 4000))
	}
}

// readPieces reads all files. LF on disk becomes CRLF; the evasion set is exact to
// the octet and goes by BDAT, which carries any octet.
func readPieces(t *testing.T, dir string) []piece {
	t.Helper()
	var all []piece
	for _, corpus := range corpora {
		err := filepath.WalkDir(filepath.Join(dir, corpus), func(file string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || strings.HasSuffix(file, ".tsv") {
				return err
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(dir, file)
			one := piece{file: name, raw: raw, to: fmt.Sprintf("%s.%d@contoso.test", corpus, len(all))}
			if len(all)%2 == 0 || corpus == "evasion" {
				one.bdat = 1 + len(all)%(32<<10)
			}
			if corpus != "evasion" {
				one.raw = crlf(raw)
			}
			one.raw = append([]byte(trace), one.raw...)
			all = append(all, one)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// trace is the field that Exchange puts on top, below the key. It keeps the key's
// field whole where a file begins with a blank.
const trace = "Received: from mail.outside.test (203.0.113.9) by AM1FFO11.mail.protection.outlook.test with ESMTPS; Mon, 5 Jan 2026 10:15:00 +0000\r\n"

func crlf(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(raw, "\r\n"...)
	}
	return raw
}

func feedPieces(t *testing.T, p *program, pieces []piece) {
	t.Helper()
	work := make(chan piece)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			c, err := dial(p.smtp, false)
			if err != nil {
				t.Error(err)
			}
			for one := range work {
				if err != nil {
					continue
				}
				raw := append([]byte("x-trustifi-creds: "+p.key+"\r\n"), one.raw...)
				var a answer
				if a, err = c.send(posting{from: "bounce@outside.test", to: []string{one.to}, params: " BODY=8BITMIME", raw: raw, bdat: one.bdat}); err != nil || a.code != 250 {
					t.Errorf("%s: %s, %v", one.file, a, err)
				}
			}
			c.close()
		})
	}
	for _, one := range pieces {
		work <- one
	}
	close(work)
	wg.Wait()
}

// drained waits until nothing is on its way any more.
func (p *program) drained(patience time.Duration) {
	p.t.Helper()
	waits(p.t, patience, "every recipient has ended", func() bool {
		var queue []struct{ ID string }
		p.do(&queue, "queue", "list", "--limit", "10")
		return len(queue) == 0
	})
}

// checkPieces compares what arrived and what is held with what was handed in.
func checkPieces(t *testing.T, keep *kept, pieces []piece, arrived []delivered) map[mail.State]int {
	t.Helper()
	states, got := map[mail.State]int{}, map[string][][]byte{}
	for _, d := range arrived {
		for _, to := range d.env.To {
			got[to.Addr] = append(got[to.Addr], d.raw)
		}
	}
	rows := map[string]int{}
	all := keep.rows()
	for i, row := range all {
		states[row.State]++
		if _, twice := rows[row.To]; twice {
			t.Errorf("%s has two rows", row.To)
		}
		rows[row.To] = i
	}
	for _, one := range pieces {
		i, known := rows[one.to]
		switch {
		case !known:
			t.Errorf("%s is not in the trace", one.file)
		case all[i].State == mail.Delivered && len(got[one.to]) != 1:
			t.Errorf("%s is delivered and arrived %d times", one.file, len(got[one.to]))
		case all[i].State == mail.Delivered:
			want := normal(one.raw) // what leaves has CRLF as its only line end
			if have := got[one.to][0]; !bytes.HasSuffix(have, want) {
				t.Errorf("%s arrived altered: sha256 %x, want %x", one.file, sha256.Sum256(have), sha256.Sum256(want))
			}
		case all[i].State == mail.Held && len(got[one.to]) > 0:
			t.Errorf("%s is held and arrived all the same", one.file)
		case all[i].State == mail.Held:
			if have := keep.content(all[i].Tenant, all[i].ID); sha256.Sum256(have) != sha256.Sum256(withoutControl(one.raw)) {
				t.Errorf("%s is kept altered: %d octets of %d", one.file, len(have), len(one.raw))
			}
		default:
			t.Errorf("%s ended as %s", one.file, all[i].State)
		}
	}
	return states
}

// normal is raw with CRLF for every bare CR and every bare LF, and at its end.
func normal(raw []byte) []byte {
	s := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(string(withoutControl(raw)))
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return []byte(s)
}

// withoutControl is raw without the fields that outsiders must not write: the
// relay's own, and those with which Exchange steers itself.
func withoutControl(raw []byte) []byte {
	h, at := mail.SplitHeader(raw)
	var out []byte
	length := 0
	for _, f := range h {
		length += len(f.Raw)
		if name := strings.ToLower(f.Name); !strings.HasPrefix(name, "x-trustifi-") && !strings.HasPrefix(name, "x-ms-exchange-organization-") {
			out = append(out, f.Raw...)
		}
	}
	return append(append(out, raw[length:at]...), raw[at:]...)
}

// publishKeys puts the DKIM keys of the signed mail into the zone, and returns them.
func publishKeys(t *testing.T, s *sink, dir string) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join(dir, "dkim-real", "dns-keys.tsv"))) {
		name, txt, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		if !ok {
			continue
		}
		keys[name] = txt
		var quoted []string
		for rest := txt; rest != ""; {
			n := min(200, len(rest))
			quoted, rest = append(quoted, fmt.Sprintf("%q", rest[:n])), rest[n:]
		}
		if err := s.zone.Add(name + ". TXT " + strings.Join(quoted, " ")); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// releaseAll sends held mail of one corpus on.
func (p *program) releaseAll(keep *kept, corpus string) {
	p.t.Helper()
	args := []string{"quarantine", "release"}
	for _, row := range keep.rows() {
		if row.State == mail.Held && strings.HasPrefix(row.To, corpus+".") {
			args = append(args, fmt.Sprintf("%s.%d", row.ID, row.N))
		}
	}
	if len(args) > 2 {
		p.do(nil, args...)
	}
}

// checkSignatures verifies every signature before and after the relay; genuine of
// them are known to verify.
func checkSignatures(t *testing.T, pieces []piece, arrived []delivered, keys map[string]string, genuine int) {
	t.Helper()
	after := map[string][]byte{}
	for _, d := range arrived {
		after[d.env.To[0].Addr] = d.raw
	}
	signed, good := 0, 0
	for _, one := range pieces {
		if !strings.HasPrefix(one.file, "dkim-real") {
			continue
		}
		before := verdicts(one.raw, keys)
		for _, v := range before {
			signed++
			if strings.HasSuffix(v, "=pass") {
				good++
			}
		}
		if after[one.to] == nil {
			t.Errorf("%s did not arrive", one.file)
		} else if now := verdicts(after[one.to], keys); !slices.Equal(before, now) {
			t.Errorf("%s: DKIM was %v and is %v", one.file, before, now)
		}
	}
	if good < genuine || good == 0 {
		t.Errorf("%d signatures verify before the relay, want %d", good, genuine)
	}
	t.Logf("of %d DKIM signatures %d verify before the relay, and the same after it", signed, good)
}

// verdicts are "domain=pass" and the like for each signature, as of the message's
// own date: what has expired since is not what is asked.
func verdicts(raw []byte, keys map[string]string) []string {
	m := dkim.NewMessage(raw)
	date, err := netmail.ParseDate(m.Header.First("Date"))
	if err != nil {
		date = time.Now()
	}
	v := dkim.Verifier{LookupTXT: func(_ context.Context, name string) ([]string, error) {
		if txt, ok := keys[strings.TrimSuffix(name, ".")]; ok {
			return []string{txt}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}}
	var list []string
	for _, r := range v.Verify(context.Background(), m, date) {
		list = append(list, fmt.Sprintf("%s=%s", r.Domain, r.Result))
	}
	return list
}

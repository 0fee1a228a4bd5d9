// Package signature finds what is known by its octets: the test strings that
// administrators send to see whether a filter is awake, and parts whose hash is
// on a list. It knows no real malware; that is the engines' work.
package signature

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// The strings are put together here so that neither this file nor the binary is
// taken for a test file by a virus scanner.
var (
	eicar = []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + strings.ToUpper("eicar-standard") + `-ANTIVIRUS-TEST-FILE!$H+H*`)
	gtube = []byte(`JS*C4JDBQADN1.NSBN3*2IDNEN*` + strings.ToUpper("gtube-standard") + `-ANTI-UBE-TEST-EMAIL*C.34X`)
)

// ours are Postern's own test strings; each makes the verdict it names.
var ours = []struct {
	text  []byte
	class mail.Verdict
}{
	{[]byte("POSTERN" + "*TEST*MALWARE*8RV2"), mail.Malware},
	{[]byte("POSTERN" + "*TEST*PHISH*8RV2"), mail.Phish},
	{[]byte("POSTERN" + "*TEST*SPAM*8RV2"), mail.Spam},
	{[]byte("POSTERN" + "*TEST*SUSPICIOUS*8RV2"), mail.Suspicious},
	{[]byte("POSTERN" + "*TEST*BULK*8RV2"), mail.Bulk},
}

// testLinks are pages that browser makers and test bodies keep for this purpose.
var testLinks = []struct {
	host, path string
	class      mail.Verdict
}{
	{"testsafebrowsing.appspot.com", "/s/phishing", mail.Phish},
	{"testsafebrowsing.appspot.com", "/s/malware", mail.Malware},
	{"testsafebrowsing.appspot.com", "/s/unwanted", mail.Suspicious},
	{"demo.smartscreen.msft.net", "/phishingdemo", mail.Phish},
	{"www.amtso.org", "/check-desktop-phishing-page", mail.Phish},
	{"www.eicar.org", "/download/eicar", mail.Malware},
}

const (
	eicarMost = 128     // octets of a file that counts as the EICAR test file, white space at its end included (eicar.org)
	looseMost = 1 << 20 // octets of a part that is searched for it anywhere
)

// Scanner finds test strings and known hashes. The zero value works.
type Scanner struct {
	// Known names what a part with this SHA-256 is; "" is nothing known. It may be
	// nil and must not do I/O.
	Known func(sum [32]byte) string
}

// Name is part of scan.Scanner.
func (s *Scanner) Name() string { return "signature" }

// Scan is part of scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, msg *mail.Message, about scan.About) ([]mail.Finding, error) {
	var found []mail.Finding
	for i := range msg.Parts {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		p := &msg.Parts[i]
		found = append(found, s.hash(p, about.Hashes)...)
		if f, ok := testFile(p); ok {
			found = append(found, f)
		}
	}
	found = append(found, markers(msg)...)
	return append(found, links(msg.Links)...), nil
}

func (s *Scanner) hash(p *mail.Part, listed []string) []mail.Finding {
	if p.Truncated && p.SHA256 == [32]byte{} {
		return nil
	}
	name := ""
	if len(listed) > 0 && slices.Contains(listed, hex.EncodeToString(p.SHA256[:])) {
		name = "the tenant's list of known bad files"
	}
	if s.Known != nil {
		if n := s.Known(p.SHA256); n != "" {
			name = n
		}
	}
	if name == "" {
		return nil
	}
	return []mail.Finding{{
		Rule: "signature.hash", Class: mail.Malware, Score: 100, Where: p.Path,
		Detail: fmt.Sprintf("The file %s is known to be bad (%s).", scan.Quote(p.Name), name),
	}}
}

// testFile looks for EICAR. The standard wants it at the very beginning of a
// short file; elsewhere in a part it may have been hidden from other readers, so
// it counts there too, but less in plain text, where people write about it.
func testFile(p *mail.Part) (mail.Finding, bool) {
	at := bytes.Index(p.Data[:min(len(p.Data), looseMost)], eicar[:32])
	if at < 0 {
		return utf16File(p)
	}
	if !bytes.HasPrefix(p.Data[at:], eicar) {
		return mail.Finding{}, false
	}
	f := mail.Finding{Rule: "signature.eicar", Class: mail.Malware, Score: 100, Where: p.Path}
	exact := at == 0 && p.Size <= eicarMost && len(bytes.TrimRight(p.Data[len(eicar):], " \t\r\n\x1a")) == 0
	switch {
	case exact:
		f.Detail = "It contains the EICAR test file, which every virus scanner reports."
	case p.Reading == mail.Strict && strings.HasPrefix(p.Type, "text/") && p.Name == "" && p.Size > 4*eicarMost:
		f.Rule, f.Class, f.Score = "signature.eicar.text", mail.Suspicious, 60
		f.Detail = "The EICAR test string, which virus scanners report, stands within its text."
	default:
		f.Rule, f.Score = "signature.eicar.within", 90
		f.Detail = "The EICAR test string, which virus scanners report, is hidden within one of its parts."
	}
	return f, true
}

// utf16File finds EICAR as UTF-16 of either byte order.
func utf16File(p *mail.Part) (mail.Finding, bool) {
	head := p.Data[:min(len(p.Data), 4<<10)]
	if bytes.IndexByte(head, 0) < 0 {
		return mail.Finding{}, false
	}
	if !bytes.Contains(bytes.ReplaceAll(head, []byte{0}, nil), eicar) {
		return mail.Finding{}, false
	}
	return mail.Finding{
		Rule: "signature.eicar.within", Class: mail.Malware, Score: 90, Where: p.Path,
		Detail: "The EICAR test string, which virus scanners report, is hidden within one of its parts.",
	}, true
}

func markers(msg *mail.Message) []mail.Finding {
	var found []mail.Finding
	if strings.Contains(msg.Text, string(gtube)) || strings.Contains(msg.Subject, string(gtube)) {
		found = append(found, mail.Finding{
			Rule: "signature.gtube", Class: mail.Spam, Score: 100,
			Detail: "It contains GTUBE, the test string that every spam filter reports.",
		})
	}
	if !strings.Contains(msg.Text, "POSTERN*TEST*") && !strings.Contains(msg.Subject, "POSTERN*TEST*") {
		return found
	}
	for _, o := range ours {
		if strings.Contains(msg.Text, string(o.text)) || strings.Contains(msg.Subject, string(o.text)) {
			found = append(found, mail.Finding{
				Rule: "signature.test." + string(o.class), Class: o.class, Score: 100,
				Detail: fmt.Sprintf("It contains Postern's test string for %s.", o.class),
			})
		}
	}
	return found
}

func links(all []mail.Link) []mail.Finding {
	for _, l := range all {
		if !strings.Contains(l.URL, "testsafebrowsing") && !strings.Contains(l.URL, "smartscreen") && !strings.Contains(l.URL, "amtso") && !strings.Contains(l.URL, "eicar") {
			continue
		}
		t, ok := scan.ParseTarget(l.URL)
		if !ok {
			continue
		}
		for _, k := range testLinks {
			if t.Host == k.host && strings.HasPrefix(strings.ToLower(t.Path), k.path) {
				return []mail.Finding{{
					Rule: "signature.link." + string(k.class), Class: k.class, Score: 100, Where: l.Path,
					Detail: fmt.Sprintf("It links to %s, a page made to test filters for %s.", scan.Quote(t.Host+t.Path), k.class),
				}}
			}
		}
	}
	return nil
}

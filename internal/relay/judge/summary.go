package judge

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/internal/mail"
	"postern/internal/relay/scan"
)

// Bounds on what is kept of one message. They are far above anything honest; a
// compromised child must not fill the ledger.
const (
	maxFindings = 500
	maxParts    = 1000
	maxText     = 1000 // octets of a Detail, Subject ...
	maxName     = 300  // octets of a file name, path, rule, host
	maxLinks    = 500  // that are read for their hosts
)

func messageID(h mail.Header) string {
	return strings.TrimSuffix(strings.TrimPrefix(h.First("Message-ID"), "<"), ">")
}

// soleAuthor is the address of the From field, "" unless there is exactly one.
func soleAuthor(msg *mail.Message) string {
	if len(msg.From) != 1 {
		return ""
	}
	return msg.From[0].Addr
}

func infos(parts []mail.Part) []mail.PartInfo {
	out := make([]mail.PartInfo, len(parts))
	for i, p := range parts {
		out[i] = mail.PartInfo{
			Path: p.Path, Type: p.Type, Sniffed: p.Sniffed, Name: p.Name,
			Size: p.Size, SHA256: hex.EncodeToString(p.SHA256[:]), Encrypted: p.Encrypted,
		}
	}
	return out
}

// hosts are where links lead, each once; as many as the ledger keeps.
func hosts(links []mail.Link) []string {
	var out []string
	for _, l := range links[:min(len(links), maxLinks)] {
		if t, ok := scan.ParseTarget(l.URL); ok && t.Host != "" && !slices.Contains(out, t.Host) {
			if out = append(out, t.Host); len(out) == mail.MaxHosts {
				break
			}
		}
	}
	return out
}

// bound cuts a judgement to what may be stored, whoever made it. Findings that
// are left out are replaced by one that says so and holds by default.
func bound(j *mail.Judgement) {
	for _, s := range []*string{&j.MessageID, &j.Subject, &j.From, &j.Auth.SPF.Reason, &j.Auth.DMARC.Reason, &j.Auth.ARC.Reason} {
		*s = cut(*s, maxText)
	}
	if len(j.Findings) > maxFindings {
		j.Findings = append(worstOf(j.Findings, maxFindings-1), mail.Finding{
			Rule: "judge.findings.limit", Class: mail.Suspicious, Score: 50,
			Detail: "There is so much wrong with this message that not all of it could be listed.",
		})
	}
	j.Links = j.Links[:min(len(j.Links), mail.MaxHosts)]
	for i := range j.Links {
		j.Links[i] = cut(j.Links[i], maxName)
	}
	for i := range j.Findings {
		f := &j.Findings[i]
		f.Rule, f.Where, f.Detail = cut(f.Rule, maxName), cut(f.Where, maxName), cut(f.Detail, maxText)
		f.Score = min(max(f.Score, -100), 100)
	}
	j.Parts = j.Parts[:min(len(j.Parts), maxParts)]
	for i := range j.Parts {
		p := &j.Parts[i]
		p.Path, p.Name, p.Type, p.Sniffed, p.SHA256 = cut(p.Path, maxName), cut(p.Name, maxName), cut(p.Type, maxName), cut(p.Sniffed, maxName), cut(p.SHA256, 64)
	}
}

// worstOf keeps n findings in their order: those with points that matter first.
func worstOf(all []mail.Finding, n int) []mail.Finding {
	kept := make([]mail.Finding, 0, n+1)
	heavy := 0
	for _, f := range all {
		if f.Score >= 50 {
			heavy++
		}
	}
	light := max(n-heavy, 0)
	for _, f := range all {
		switch {
		case len(kept) == n:
			return kept
		case f.Score >= 50:
			kept = append(kept, f)
		case light > 0:
			light--
			kept = append(kept, f)
		}
	}
	return kept
}

// cut is s without invalid UTF-8 and at most n octets long.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

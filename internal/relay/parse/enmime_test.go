package parse

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"postern/internal/mail"
)

// TestNothingOfWhatEnmimeFindsIsMissing compares with a parser that was written by
// others and is known as tolerant: every file it finds must be among our parts.
func TestNothingOfWhatEnmimeFindsIsMissing(t *testing.T) {
	n, parts, missing := 0, 0, 0
	files(t, func(path string, b []byte) {
		if strings.HasSuffix(path, ".xml") || strings.HasSuffix(path, ".html") {
			return // expected results of another project's parser
		}
		env, err := enmime.ReadEnvelope(bytes.NewReader(b))
		if err != nil || env == nil {
			return
		}
		n++
		m := Parse(b, Limits{})
		have := map[[32]byte]bool{}
		var all []byte
		for _, p := range m.Parts {
			have[core(p.Data)] = true
			all = append(append(all, squash(p.Data)...), 0)
		}
		for _, list := range [][]*enmime.Part{env.Attachments, env.Inlines, env.OtherParts} {
			for _, p := range list {
				if len(bytes.TrimSpace(p.Content)) == 0 || bytes.HasPrefix(p.Content, []byte("begin ")) {
					continue // enmime leaves uuencoded files as they are
				}
				parts++
				if !have[core(p.Content)] && !bytes.Contains(all, squash(p.Content)) && !textOf(m, p.Content) && !near(m, p.Content) {
					missing++
					t.Errorf("%s: enmime finds %q (%s, %d octets), we do not", filepath.Base(path), p.FileName, p.ContentType, len(p.Content))
				}
			}
		}
	}, "mime", "tnef-mail", "calendar", "smime", "pgp", "charset", "dsn")
	t.Logf("%d messages, %d files, %d missing", n, parts, missing)
}

func core(b []byte) [32]byte { return sha256.Sum256(bytes.TrimSpace(b)) }

// squash takes out white space, in which decoders differ, and what is not ASCII,
// which enmime converts in some types.
func squash(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c > ' ' && c < 0x80 {
			out = append(out, c)
		}
	}
	return out
}

// textOf reports whether the content is in the text, where enmime has converted it.
func textOf(m *mail.Message, content []byte) bool {
	return bytes.Contains(squash([]byte(m.Text)), squash(content))
}

// near reports a part that begins alike and is about as long: where base64 or
// quoted-printable is broken, decoders differ in some octets.
func near(m *mail.Message, content []byte) bool {
	for _, p := range m.Parts {
		if n := min(256, len(p.Data)); n > 64 && len(content) >= n && bytes.Equal(p.Data[:n], content[:n]) && len(p.Data)*20 > len(content)*19 {
			return true
		}
	}
	return false
}

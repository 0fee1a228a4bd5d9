package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
)

// hostileTexts end a line, begin another, colour a console, or are no text at all.
func hostileTexts() []string {
	forged := `{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"FORGED"}`
	var all []string
	for _, end := range []string{"\r\n", "\n", "\r", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x00", "\x1b[2K\x1b[1A", "\x1b]0;title\x07", "\x1e", "%0d%0a", "\\n", "\",\"msg\":\""} {
		all = append(all, "a"+end+forged)
	}
	return append(all, "\xff\xfe\x80"+forged, "\xc3\x28\n"+forged, "\xed\xa0\x80", "\u202e"+forged, strings.Repeat("A", 1<<20)+"\n"+forged,
		"\x7f\x08\x08\x08", "${jndi:ldap://127.0.0.1/a}\n"+forged, "%s%s%n%x", "\ufeff"+forged, "\x1b[31mred\x1b[0m", "\u200b\u200d"+forged, "=\"x\" msg=FORGED\n", "'; DROP TABLE audit;--", "\t\t\n\n"+forged, "\x85\x9b31m")
}

// R39: what comes from outside makes no line of its own in the log and no character
// in it that a console obeys.
func TestWhatComesFromOutsideMakesNoLogLine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a relay")
	}
	w, _, log := canaryWorld(t)
	base, tried := "http://"+w.server.portalAddr(), 0
	try := func(f func()) { tried++; f() }
	raw := func(lines ...string) { // to the SMTP port, as it stands
		c, err := net.DialTimeout("tcp", w.conf.SMTP.Listen[0], 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Second)) // an answer may be missing: nothing is expected
		in := textproto.NewConn(c)
		_, _, _ = in.ReadResponse(220)
		for _, l := range lines {
			_, _ = c.Write([]byte(l + "\r\n"))
		}
		_, _ = c.Write([]byte("QUIT\r\n"))
		_, _ = in.ReadLine()
	}
	send := func(method, path string, header http.Header, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			return // such a request cannot be made
		}
		r.Header = header
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
		}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, text := range hostileTexts() {
		short := text[:min(len(text), 4000)]
		try(func() { raw("EHLO " + short) })
		try(func() { raw("EHLO a.example", "MAIL FROM:<"+short+"@a.example>") })
		try(func() { send("GET", "/t/"+url.PathEscape(short)+"/mail/x", http.Header{}, "") })
		try(func() { send("POST", "/sign-in", form, url.Values{"email": {text}, "password": {text}}.Encode()) })
		try(func() {
			send("POST", "/script-report", http.Header{"Authorization": {"Bearer psk_" + strings.Map(visibleOnly, short)}}, short)
		})
		try(func() {
			send("GET", "/?next="+url.QueryEscape(short), http.Header{"User-Agent": {strings.Map(visibleOnly, short)}, "Referer": {strings.Map(visibleOnly, short)}}, "")
		})
	}
	before, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range hostileTexts() { // most of the above is not logged at all: what would happen if it were
		w.opened.log.Error("canary", "err", errors.New(text), "path", text)
		tried++
	}
	text, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range bytes.Lines(text) {
		lines++
		var e struct {
			Time  time.Time
			Level string
			Msg   string
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Time.IsZero() || e.Level == "" || e.Msg == "" || e.Msg == "FORGED" {
			t.Errorf("no event: %.200q: %v", line, err)
		}
		for _, r := range string(bytes.TrimSuffix(line, []byte("\n"))) {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
				t.Errorf("the character %U stands in %.200q", r, line)
				break
			}
		}
	}
	if want := bytes.Count(before, []byte("\n")) + len(hostileTexts()); tried < 200 || lines != want {
		t.Fatalf("%d tries left %d lines, not %d", tried, lines, want)
	}
	t.Logf("%s", fmt.Sprintf("%d injections, %d lines, each one event", tried, lines))
}

// visibleOnly drops what no HTTP client can send in a header.
func visibleOnly(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestLongLinesGoOnUnderTheirTextAndTablesFitTheScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{w: &out, wide: 60}
	const line = "  green  Connection to Exchange: Connected with a client secret, which lasts two years at most."
	if _, err := s.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	table(s, "ID\tHELD\tFROM\tTO\tSUBJECT\tVERDICT\tWHY", 1, func(w io.Writer, _ int) {
		_, _ = w.Write([]byte("01M80Z5YPC8MXY48BAPNGC8FKY.0\t2026-11-22 06:30\tsomebody-with-a-long-name@example.com\tann@contoso.example\tHello\tphish\t" + strings.Repeat("because ", 20) + "\n"))
	})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, l := range lines {
		if columns(l) > 60 {
			t.Errorf("%d columns: %s", columns(l), l)
		}
	}
	if !strings.HasPrefix(lines[1], "         secret, which") {
		t.Errorf("the line goes on as %q", lines[1])
	}
	for _, whole := range []string{"01M80Z5YPC8MXY48BAPNGC8FKY.0", "2026-11-22 06:30", "phish"} {
		if !strings.Contains(out.String(), whole) {
			t.Errorf("%s is cut:\n%s", whole, out.String())
		}
	}
	id := strings.Repeat("x", 90)
	if got := fold("key: "+id, 60); !strings.Contains(got, id) {
		t.Errorf("a long word is broken: %q", got)
	}
}

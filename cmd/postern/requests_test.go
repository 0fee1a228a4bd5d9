package main

import (
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
)

func TestRecipientsRightsAndDigestAreSetFromTheCommandLine(t *testing.T) {
	b := newBox(t)
	b.must("tenant", "add", "Acme")
	b.must("recipients", "set", "--tenant", "acme", "--may", "spam=release", "--digest", "weekly", "--hours", "7", "--day", "friday", "--zone", "Europe/Berlin")
	b.must("recipients", "set", "--tenant", "acme", "--may", "phish=ask")
	out := b.must("recipients", "show", "--tenant", "acme", "--json")
	for _, want := range []string{`"spam": "release"`, `"phish": "ask"`, `"digest": "weekly"`, `"day": "friday"`, `"zone": "Europe/Berlin"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is lost: %s", want, out)
		}
	}
	for _, args := range [][]string{{"--may", "malware=release"}, {"--day", "someday"}, {"--zone", "Nowhere/Land"}} {
		if code, _, errOut := b.run(append([]string{"recipients", "set", "--tenant", "acme"}, args...)...); code == 0 || errOut == "" {
			t.Errorf("%v is taken", args)
		}
	}
}

func TestReportsByMailAreSetFromTheCommandLine(t *testing.T) {
	b := newBox(t)
	b.must("tenant", "add", "Acme")
	if out := b.must("report-schedule", "--tenant", "acme"); !strings.Contains(out, "No report of Acme goes by mail.") {
		t.Errorf("at first: %s", out)
	}
	if code, _, errOut := b.run("report-schedule", "--tenant", "acme", "--every", "weekly", "--to", "eve@elsewhere.example"); code == 0 || !strings.Contains(errOut, "reports name people") {
		t.Errorf("a report goes to a stranger: %d %s", code, errOut)
	}
}

func TestARequestIsListedAndDeclinedOnce(t *testing.T) {
	b := newBox(t)
	b.must("tenant", "add", "Acme")
	id := b.put(mail.Held, []byte("held\r\n"))
	b.opened(func(o *opened) {
		if err := o.store.Ask(t.Context(), "acme", store.Request{Message: id, N: 0, Addr: "ann@acme.example", AskedAt: time.Now()}, nil); err != nil {
			t.Fatal(err)
		}
	})
	copied := copyID(id, 0)
	if out := b.must("request", "list", "--tenant", "acme"); !strings.Contains(out, copied) {
		t.Errorf("it is not listed: %s", out)
	}
	b.must("request", "decline", "--tenant", "acme", copied, "--answer", "It is phishing.")
	if code, _, errOut := b.run("request", "decline", "--tenant", "acme", copied, "--answer", "No."); code == 0 || !strings.Contains(errOut, "nobody waits for") {
		t.Errorf("a second answer: %d %s", code, errOut)
	}
}

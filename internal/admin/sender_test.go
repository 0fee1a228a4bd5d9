package admin

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/internal/mail"
)

func TestEntriesThatNobodyCanMeanAreRefused(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	for sender, says := range map[string]string{"co.uk": "not one sender's domain", "com": "neither an address", "10.0.0.0/7": "too wide", "2001:db8::/15": "too wide"} {
		if _, err := a.AddEntry(ctx, "acme", sender, mail.ListEntry{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("blocking %s: %v", sender, err)
		}
	}
	for sender, warns := range map[string]bool{"gmail.com": true, "ann@gmail.com": false, "supplier.co.uk": false, "192.0.2.0/20": true, "192.0.2.7": false} {
		if w := SenderWarning(sender, mail.ListEntry{Allow: true}); (w != "") != warns {
			t.Errorf("allowing %s warns %q", sender, w)
		}
		if _, err := a.AddEntry(ctx, "acme", sender, mail.ListEntry{Allow: true}); err != nil {
			t.Errorf("allowing %s: %v", sender, err)
		}
	}
	if SenderWarning("supplier.example", mail.ListEntry{Allow: true, AnyAuth: true}) == "" {
		t.Error("an entry without proof does not warn")
	}
}

func TestAnEntryEndsByItself(t *testing.T) {
	a, ctx := policyAdmin(t), context.Background()
	if _, err := a.AddEntry(ctx, "acme", "old.example", mail.ListEntry{ExpiresAt: time.Now().Add(-time.Hour)}); err == nil {
		t.Error("an entry that is over was added")
	}
	until := time.Now().Add(time.Hour)
	if _, err := a.AddEntry(ctx, "acme", "soon.example", mail.ListEntry{ExpiresAt: until}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddEntry(ctx, "acme", "ever.example", mail.ListEntry{}); err != nil {
		t.Fatal(err)
	}
	before, err := a.Store.Generation(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Store.Expire(ctx, until.Add(time.Minute).Round(0)); err != nil {
		t.Fatal(err)
	}
	if list := rulesOf(t, a).Lists; len(list) != 1 || list[0].Domain != "ever.example" {
		t.Errorf("left: %+v", list)
	}
	if after, err := a.Store.Generation(ctx); err != nil || after == before {
		t.Error("other nodes do not learn of it")
	}
}

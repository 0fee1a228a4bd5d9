package portal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/internal/mail"
)

func TestEvidenceIsMarkedWhereItStands(t *testing.T) {
	reasons := reasonsOf([]string{
		"The text threatens (“your account”, “will be suspended”).",
		"A link shows bank.example, but leads to evil.example.",
		"The file “invoice.exe” is a program.",
	}, []mail.Finding{
		{Rule: "content.threat", Detail: "The text threatens (“your account”, “will be suspended”)."},
		{Rule: "link.text", Detail: "A link shows bank.example, but leads to evil.example.", Where: "2"},
		{Rule: "attachment.program", Detail: "The file “invoice.exe” is a program.", Where: "3"},
	})
	for _, tt := range []struct {
		text string
		want []span
	}{
		{"nothing here", []span{{"nothing here", 0}}},
		{"Your\r\n  Account will", []span{{"Your\r\n  Account", 1}, {" will", 0}}},
		{"go to http://evil.example/x", []span{{"go to http://", 0}, {"evil.example", 2}, {"/x", 0}}},
		{"ÄÖÜ İstanbul YOUR ACCOUNT", []span{{"ÄÖÜ İstanbul ", 0}, {"YOUR ACCOUNT", 1}}},
		{"", nil},
	} {
		if got := mark(tt.text, reasons); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
		}
	}
	if about(reasons, "3") != 3 || about(reasons, "") != 0 || about(reasons, "9") != 0 {
		t.Error("places")
	}
}

func TestTheWayOfAMessageHasTimesAndDelays(t *testing.T) {
	h, _ := mail.SplitHeader([]byte("Received: from c.example (c [192.0.2.3]) by d.example with Microsoft SMTP\r\n Server (version=TLS1_3) id 15.20; Mon, 4 May 2026 10:10:00 +0200\r\n" +
		"Received: from b.example by c.example with ESMTPS id x for <a@b.example>; Mon, 4 May 2026 08:05:00 +0000\r\n" +
		"Received: by b.example; Mon, 4 May 2026 09:00:00 +0000\r\nReceived: nonsense\r\n\r\n"))
	got := fmt.Sprint(hopsOf(h))
	at := func(hour, minute int, zone *time.Location) time.Time {
		return time.Date(2026, 5, 4, hour, minute, 0, 0, zone)
	}
	want := fmt.Sprint([]hop{{},
		{By: "b.example", At: at(9, 0, time.UTC)},
		{From: "b.example", By: "c.example", With: "ESMTPS", At: at(8, 5, time.UTC), Took: -55 * time.Minute, Kind: "bad"},
		{From: "c.example", By: "d.example", With: "Microsoft SMTP Server", At: at(10, 10, time.FixedZone("", 7200)), Took: 5 * time.Minute, Kind: "warn"},
	})
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

package relay

import (
	"context"
	"errors"
	"strings"
	"testing"

	"postern/internal/mail"
	"postern/internal/relay/deliver"
	"postern/internal/relay/judge"
	"postern/internal/store"
)

// laterJudges judge as before until something new is known.
type laterJudges struct {
	Judges
	found *mail.Finding
	err   error
}

func (j *laterJudges) Judge(ctx context.Context, job judge.Job) (*mail.Judgement, error) {
	if j.err != nil {
		return nil, j.err
	}
	out, err := j.Judges.Judge(ctx, job)
	if err == nil && j.found != nil {
		out.Findings = append(out.Findings, *j.found)
	}
	return out, err
}

func TestMailIsJudgedAgainBeforeItIsReleased(t *testing.T) {
	const held = "POSTERN" + "*TEST*SPAM*8RV2\r\n"
	for _, tt := range []struct {
		name     string
		found    *mail.Finding
		err      error
		override bool
		want     error
		verdict  mail.Verdict // that the ledger has afterwards
	}{
		{name: "nothing new", verdict: mail.Spam},
		{name: "malware now", found: &mail.Finding{Rule: "signature.new", Class: mail.Malware, Score: 100, Detail: "New signature."}, want: ErrMalware, verdict: mail.Malware},
		{name: "malware now, and an administrator insists", found: &mail.Finding{Rule: "signature.new", Class: mail.Malware, Score: 100, Detail: "New signature."}, override: true, want: ErrMalware, verdict: mail.Malware},
		{name: "phishing now", found: &mail.Finding{Rule: "link.feed", Class: mail.Phish, Score: 100, Detail: "New feed."}, want: ErrPhish, verdict: mail.Phish},
		{name: "phishing now, and an administrator insists", found: &mail.Finding{Rule: "link.feed", Class: mail.Phish, Score: 100, Detail: "New feed."}, override: true, verdict: mail.Spam},
		{name: "cannot be judged", err: judge.ErrPoison, want: ErrUnjudged, verdict: mail.Spam},
		{name: "cannot be judged, and an administrator insists", err: judge.ErrPoison, override: true, verdict: mail.Spam},
	} {
		t.Run(tt.name, func(t *testing.T) {
			later := &laterJudges{}
			r := ready(t, func(r *Relay) { later.Judges = r.Judges; r.Judges = later })
			id := r.accept("Subject: x\r\n", held, "ann@contoso.example")
			if to := r.ended(id); to[0].State != mail.Held || to[0].Verdict != mail.Spam {
				t.Fatalf("ended as %+v", to[0])
			}
			later.found, later.err = tt.found, tt.err
			out, err := r.Release(t.Context(), Order{Tenant: "contoso", ID: id, By: "ann", Override: tt.override})
			if !errors.Is(err, tt.want) || (tt.want == nil && out.Kind != deliver.Delivered) {
				t.Fatalf("%+v, %v", out, err)
			}
			to := r.ended(id)[0]
			if (to.State == mail.Held) != (tt.want != nil) || to.Verdict != tt.verdict || len(r.mta.all()) == 1 != (tt.want == nil) {
				t.Errorf("ended as %+v with %d deliveries", to, len(r.mta.all()))
			}
			last := to.Events[len(to.Events)-1].Text
			if tt.want != nil && tt.err == nil && !strings.HasPrefix(last, "ann asked for its release, but judged again it is") {
				t.Errorf("the ledger says %q", last)
			}
		})
	}
}

func TestMalwareThatCannotBeJudgedAgainStaysHeldWhoeverInsists(t *testing.T) {
	later := &laterJudges{}
	r := ready(t, func(r *Relay) { later.Judges = r.Judges; r.Judges = later })
	id := r.accept("Subject: x\r\n", "POSTERN"+"*TEST*SPAM*8RV2\r\n", "ann@contoso.example")
	r.ended(id)
	order := Order{Tenant: "contoso", ID: id, By: "ann", Override: true}
	later.found = &mail.Finding{Rule: "signature.new", Class: mail.Malware, Score: 100, Detail: "New signature."}
	if _, err := r.Release(t.Context(), order); !errors.Is(err, ErrMalware) {
		t.Fatal(err)
	}
	later.err = judge.ErrPoison
	if _, err := r.Release(t.Context(), order); !errors.Is(err, ErrUnjudged) {
		t.Errorf("the release of malware that could not be judged again: %v", err)
	}
	if to := r.ended(id)[0]; to.State != mail.Held || len(r.mta.all()) != 0 {
		t.Errorf("ended as %+v", to)
	}
}

func TestReleasedMailLeavesWithoutWhatServersWroteBefore(t *testing.T) {
	r := ready(t, nil)
	head := "Return-Path: <ben@sender.example>\r\nDelivered-To: ann@contoso.example\r\nX-Original-To:\r\n ann@contoso.example\r\nSubject: kept\r\nx-trustifi-inbound-verdict: clean\r\n"
	body := "POSTERN" + "*TEST*SPAM*8RV2\r\nDelivered-To: within the text stays\r\n"
	id := r.accept(head, body, "ann@contoso.example")
	r.ended(id)
	if out, err := r.Release(t.Context(), Order{Tenant: "contoso", ID: id, By: "ann"}); err != nil || out.Kind != deliver.Delivered {
		t.Fatalf("%+v, %v", out, err)
	}
	got := r.mta.all()
	if len(got) != 1 {
		t.Fatalf("%d messages arrived", len(got))
	}
	header, rest, _ := strings.Cut(got[0].content, "\r\n\r\n")
	for _, gone := range []string{"Return-Path", "Delivered-To", "X-Original-To", "inbound-verdict: clean"} {
		if strings.Contains(header, gone) {
			t.Errorf("%s left with it:\n%s", gone, header)
		}
	}
	if !strings.Contains(header, "Subject: kept") || rest != body {
		t.Errorf("%s\n%q", header, rest)
	}
}

func TestAReleaseThatDiedBeforeItWasSentIsSentOnceAfterTheRestart(t *testing.T) {
	folder := t.TempDir()
	first := newRig(t, folder, nil)
	first.tenant(first.Directory.Root, newMTA(t))
	id := first.accept("Subject: x\r\n", "POSTERN"+"*TEST*SPAM*8RV2\r\n", "ann@contoso.example")
	first.ended(id)
	if err := first.Store.Release(t.Context(), id, 0, "ann"); err != nil { // marked; then the process dies
		t.Fatal(err)
	}
	first.stop()
	first.Sender.Close()
	if err := first.Store.Close(); err != nil {
		t.Fatal(err)
	}

	second := newRig(t, folder, nil)
	second.mta = first.mta
	if err := second.Directory.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	go second.Run(second.Life)
	if to := second.ended(id); to[0].State != mail.Delivered {
		t.Errorf("ended as %+v", to[0])
	}
	if _, err := second.Release(t.Context(), Order{Tenant: "contoso", ID: id, By: "ann"}); !errors.Is(err, store.ErrNotHeld) {
		t.Errorf("released again: %v", err)
	}
	if got := second.mta.all(); len(got) != 1 {
		t.Errorf("%d messages arrived", len(got))
	}
}

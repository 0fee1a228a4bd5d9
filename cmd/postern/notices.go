package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/internal/mail"
	"postern/internal/notice"
	"postern/internal/portal"
	"postern/internal/relay/deliver"
	letters "postern/internal/relay/quarantine/digest"
	"postern/internal/store"
	"postern/internal/webhook"
)

// noticeEvery is how often alarms are looked at that somebody is to be told of.
const noticeEvery = 10 * time.Second

// tellAlarms tells receivers of alarms until ctx ends.
func (s *server) tellAlarms(ctx context.Context) {
	t := &notice.Teller{Store: s.o.store, Tell: s.tell, Log: s.log}
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := t.Round(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("notices of alarms", "err", err)
		}
	}
}

// tryNotice tells one receiver of an alarm that is none, now.
func (s *server) tryNotice(ctx context.Context, tenant string, to notice.Receiver) error {
	now := time.Now().UTC()
	return s.tell(ctx, tenant, to, []store.Alarm{{Tenant: tenant, Kind: "test", Text: mail.Say("This is a test. There is no alarm."), Count: 1, FirstAt: now, LastAt: now}})
}

func (s *server) tell(ctx context.Context, tenant string, to notice.Receiver, alarms []store.Alarm) error {
	if to.URL != "" {
		return s.tellProgram(ctx, tenant, to, alarms)
	}
	t, err := s.o.store.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	rules, err := s.o.store.Rules(ctx, tenant)
	if err != nil {
		return err
	}
	id := mail.NewID()
	l, err := notice.Write(id, s.o.conf.Hostname, s.o.conf.Portal.URL, t.Tenant, to.Address, alarms, time.Now(), portal.Letters(rules.Recipients.Lang))
	if err != nil {
		return err
	}
	return s.post(ctx, id, tenant, l, "A notice of alarms, written by Postern itself.")
}

// post sends a notice: to an address of the tenant's as its mail goes, else through
// the MX of the address.
func (s *server) post(ctx context.Context, id mail.ID, tenant string, l notice.Letter, why string) error {
	d, err := s.o.store.Domain(ctx, mail.DomainOf(l.To))
	if err == nil && d.Tenant == tenant && len(d.MTAs) > 0 {
		return s.relay.Post(ctx, letters.Letter{ID: id, Tenant: tenant, To: l.To, From: l.From, Subject: l.Subject, MessageID: l.MessageID, Content: l.Content, Why: why})
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.sendElsewhere(ctx, id, tenant, l)
}

// tellSignIn tells somebody of a sign-in from somewhere new. What cannot be sent is
// only logged: the account's page has it too.
func (s *server) tellSignIn(x store.SignIn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	go func() {
		defer cancel()
		if err := s.writeSignIn(ctx, x); err != nil {
			s.log.Warn("a new sign-in could not be told", "err", err)
		}
	}()
}

// writeSignIn sends the mail of tellSignIn in the language of the tenant whose address
// it is, and its way: who sees all tenants is written to like that too.
func (s *server) writeSignIn(ctx context.Context, x store.SignIn) error {
	var rules mail.Rules
	d, err := s.o.store.Domain(ctx, mail.DomainOf(x.Email))
	if err == nil {
		rules, err = s.o.store.Rules(ctx, d.Tenant)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	id := mail.NewID()
	l, err := notice.WriteSignIn(id, s.o.conf.Hostname, x, time.Now(), portal.Letters(rules.Recipients.Lang))
	if err != nil {
		return err
	}
	return s.post(ctx, id, d.Tenant, l, "A notice of a sign-in, written by Postern itself.")
}

// sendElsewhere sends a notice to an address outside the tenant's domains, through
// its domain's MX.
func (s *server) sendElsewhere(ctx context.Context, id mail.ID, tenant string, l notice.Letter) error {
	domain := mail.DomainOf(l.To)
	records, err := s.o.resolver.LookupMX(ctx, domain)
	if err != nil {
		return fmt.Errorf("MX of %s: %w", domain, err)
	}
	job := deliver.Job{ID: id, Tenant: tenant, From: l.From, Rcpts: []mail.Rcpt{{Addr: l.To, Notify: "NEVER"}}, Size: int64(len(l.Content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.Content)), nil }}
	for _, r := range records[:min(len(records), mail.MaxMTAs)] {
		job.MTAs = append(job.MTAs, mail.MTA{Host: r.Host, Port: exchangePort, TLS: mail.TLSRequire})
	}
	out := s.relay.Sender.Send(ctx, job)
	if len(out) != 1 || out[0].Kind != deliver.Delivered {
		return fmt.Errorf("notice to %s: %s", domain, out[0].Reply)
	}
	return nil
}

// tellProgram sends one signed notice for each alarm.
func (s *server) tellProgram(ctx context.Context, tenant string, to notice.Receiver, alarms []store.Alarm) error {
	secret, err := s.o.admin().ReceiverSecret(ctx, tenant, to.ID)
	if err != nil {
		return err
	}
	e := webhook.Endpoint{URL: to.URL, Secret: secret, Private: s.o.conf.Deliver.AllowLoopback}
	for _, a := range alarms {
		ev := webhook.Event{Event: webhook.Alarm, At: a.LastAt, Tenant: a.Tenant, Kind: a.Kind, Text: a.Text.String()}
		if err := (&webhook.Sender{}).Once(ctx, &e, ev); err != nil {
			return fmt.Errorf("notice by webhook: %w", err)
		}
	}
	return nil
}

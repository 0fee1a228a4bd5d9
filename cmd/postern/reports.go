package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/internal/mail"
	"postern/internal/portal"
	letters "postern/internal/relay/quarantine/digest"
	"postern/internal/report"
)

const reportsEvery = time.Minute // between looks at what report is due

// reports sends the scheduled reports that are due: after downtime the last one
// that was missed.
func (s *server) reports(ctx context.Context) {
	tick := time.NewTicker(reportsEvery)
	defer tick.Stop()
	for {
		if err := s.dueReports(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Error("scheduled report could not be sent; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *server) dueReports(ctx context.Context, now time.Time) error {
	tenants, err := s.o.store.Tenants(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, t := range tenants {
		plan, err := s.o.admin().ReportSchedule(ctx, t.ID)
		if err != nil {
			return err
		}
		slot, about := plan.Slot(now)
		if slot.IsZero() {
			continue
		}
		if sent, err := s.o.store.SlotSent(ctx, t.ID, slot); err != nil || sent {
			failed = errors.Join(failed, err)
			continue
		}
		err = s.sendReport(ctx, t.Tenant, plan, slot, about)
		failed = errors.Join(failed, err, s.o.store.PutSlot(ctx, t.ID, slot, err))
	}
	return failed
}

// sendReportNow sends the report of the last 30 days to the schedule's readers.
func (s *server) sendReportNow(ctx context.Context, tenant string) error {
	t, err := s.o.store.Tenant(ctx, tenant)
	if err != nil {
		return err
	}
	plan, err := s.o.admin().ReportSchedule(ctx, tenant)
	if err != nil {
		return err
	}
	now := time.Now()
	return s.sendReport(ctx, t.Tenant, plan, now, report.LastDays(30, now))
}

// sendReport hands one letter for each reader to the queue. One that is there
// already, from another node or before a crash, is not taken twice.
func (s *server) sendReport(ctx context.Context, t mail.Tenant, plan report.Schedule, slot time.Time, about report.Range) error {
	rep, err := report.Build(ctx, s.o.store, t, about, time.Now())
	if err != nil {
		return err
	}
	for _, to := range plan.To {
		id := report.LetterID(t.ID, slot, to)
		from := "postern@" + mail.DomainOf(to)
		subject, content, err := rep.Letter(portal.Words(plan.Language), id, from, to, s.o.conf.Hostname)
		if err != nil {
			return fmt.Errorf("report for %s: %w", to, err)
		}
		if err := s.relay.Post(ctx, letters.Letter{ID: id, Tenant: t.ID, To: to, From: from, Subject: subject, MessageID: "report-" + string(id) + "@" + s.o.conf.Hostname, Content: content, Why: "A report, written by Postern itself."}); err != nil {
			return err
		}
	}
	return nil
}

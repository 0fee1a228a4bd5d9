package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"postern/internal/mail"
	"postern/internal/report"
	"postern/internal/store"
)

const (
	scheduleSetting = "report-schedule"
	maxReaders      = 20
)

// ReportSchedule is when and to whom a tenant's report goes; zero if never.
func (a *Admin) ReportSchedule(ctx context.Context, tenant string) (s report.Schedule, err error) {
	text, err := a.Store.Setting(ctx, tenant, scheduleSetting)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// SetReportSchedule changes it. Reports name people, so they go only to addresses
// in the tenant's own enabled domains.
func (a *Admin) SetReportSchedule(ctx context.Context, tenant string, s report.Schedule) error {
	if s.Every != "" && s.Every != "weekly" && s.Every != "monthly" || s.Hour < 0 || s.Hour > 23 {
		return mail.Refuse("a report goes weekly, monthly or never, at an hour from 0 to 23")
	}
	if len(s.To) > maxReaders || s.Every != "" && len(s.To) == 0 {
		return mail.Refuse("enter 1 to %d addresses", maxReaders)
	}
	for _, to := range s.To {
		d, err := a.Store.Domain(ctx, mail.DomainOf(to))
		if errors.Is(err, store.ErrNotFound) || err == nil && (d.Tenant != tenant || !d.Enabled) || strings.ContainsAny(to, " <>\r\n") {
			return mail.Refuse("%s is not in an enabled domain of this tenant: reports name people, so they go nowhere else", to)
		}
		if err != nil {
			return err
		}
	}
	before, err := a.ReportSchedule(ctx, tenant)
	if err != nil {
		return err
	}
	s.Since = a.now().UTC()
	was, _ := json.Marshal(before)
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := a.Store.PutSetting(ctx, tenant, scheduleSetting, text); err != nil {
		return err
	}
	return a.note(ctx, tenant, "report.schedule", tenant, string(was), string(text))
}

// NoteReport records that a person had a report sent now.
func (a *Admin) NoteReport(ctx context.Context, tenant string) error {
	return a.note(ctx, tenant, "report.send", tenant, "", "")
}

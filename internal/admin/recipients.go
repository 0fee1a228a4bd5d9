package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/internal/mail"
	"postern/internal/relay/quarantine/digest"
	"postern/internal/store"
)

// maxOften is how many digests a day anybody wants.
const maxOften = 6

// SetRecipients replaces what a tenant lets the people do whom its mail is for. A
// schedule that changed counts from now on.
func (a *Admin) SetRecipients(ctx context.Context, tenant string, r mail.Recipients) error {
	was, err := a.Store.Recipients(ctx, tenant)
	if err != nil {
		return err
	}
	if err := checkPermissions(r); err != nil {
		return err
	}
	if err := checkHabits(r.Lang, r.Zone, &r.Digest); err != nil {
		return err
	}
	if err := a.checkSender(ctx, tenant, &r); err != nil {
		return err
	}
	r.Since = was.Since
	if !reflect.DeepEqual(r.Digest, was.Digest) || r.Zone != was.Zone {
		r.Since = a.now().UTC()
	}
	if err := a.Store.PutRecipients(ctx, tenant, r); err != nil {
		return err
	}
	return a.note(ctx, tenant, "recipients.set", tenant, asJSON(was), asJSON(r))
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// classes are the verdicts that mail is held with.
var classes = []mail.Verdict{mail.Clean, mail.Bulk, mail.Spam, mail.Suspicious, mail.Phish, mail.Malware, mail.Unjudged}

func checkPermissions(r mail.Recipients) error {
	for v, may := range r.May {
		switch {
		case !slices.Contains(classes, v):
			return mail.Refuse("there is no verdict %q", v)
		case may != mail.MayRelease && may != mail.MayAsk && may != mail.MayNot:
			return mail.Refuse("what recipients may do with %s is %q: choose release, ask or never", v, may)
		case v == mail.Malware && may == mail.MayRelease:
			return mail.Refuse("malware can never be released by recipients: choose ask or never")
		}
	}
	for _, v := range r.Listed {
		if !slices.Contains(classes, v) {
			return mail.Refuse("there is no verdict %q", v)
		}
	}
	return nil
}

// checkHabits checks a language, a time zone and a schedule, and puts the
// schedule's hours in order.
func checkHabits(lang, zone string, s *mail.Schedule) error {
	if lang != "" && !slices.Contains(digest.Languages(), lang) {
		return mail.Refuse("language %q is not known: there are %s", lang, strings.Join(digest.Languages(), ", "))
	}
	if zone != "" {
		if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
			return mail.Refuse("time zone %q is not known: write one such as Europe/Berlin", zone)
		}
	}
	slices.Sort(s.Hours)
	s.Hours = slices.Compact(s.Hours)
	for _, h := range s.Hours {
		if h < 0 || h > 23 {
			return mail.Refuse("hours are whole numbers from 0 to 23")
		}
	}
	switch s.Every {
	case "", mail.Never:
		s.Hours = nil
	case mail.Daily, mail.Weekly:
		if len(s.Hours) != 1 {
			return mail.Refuse("give one hour, from 0 to 23")
		}
	case mail.Often:
		if len(s.Hours) == 0 || len(s.Hours) > maxOften {
			return mail.Refuse("give one to %d hours, such as 8, 12, 16", maxOften)
		}
	default:
		return mail.Refuse("%q is no schedule: choose off, daily, often or weekly", s.Every)
	}
	if s.Day < time.Sunday || s.Day > time.Saturday {
		return mail.Refuse("choose a day of the week")
	}
	return nil
}

// checkSender lets digests come from the tenant's own domains only: from anywhere
// else they would look like the mail that they tell of.
func (a *Admin) checkSender(ctx context.Context, tenant string, r *mail.Recipients) error {
	r.FromName, r.FromAddr = strings.TrimSpace(r.FromName), strings.TrimSpace(r.FromAddr)
	if utf8.RuneCountInString(r.FromName) > 64 || strings.ContainsFunc(r.FromName, unicode.IsControl) || strings.ContainsAny(r.FromName, "<>@") {
		return mail.Refuse("the sender's name has at most 64 letters and none of < > @")
	}
	if r.FromAddr == "" {
		return nil
	}
	r.FromAddr = mail.FoldAddress(r.FromAddr)
	local, domain := mail.SplitAddress(r.FromAddr)
	for _, c := range local {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>[]:;@\,"`, c) {
			return mail.Refuse("the sender's address has a character that it cannot have")
		}
	}
	domains, err := a.Store.Domains(ctx, tenant)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(domains, func(d mail.Domain) bool { return d.Name == domain }) {
		return mail.Refuse("the sender's address must be in one of this tenant's domains, so that the mail does not look foreign")
	}
	return nil
}

// Approve records that a recipient's request was granted, after the release.
func (a *Admin) Approve(ctx context.Context, tenant string, id mail.ID, n int, reply string) error {
	err := a.Store.Answer(ctx, tenant, id, n, store.Approved, a.Actor, "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.Join(a.note(ctx, tenant, "request.approve", copyName(id, n), "held", reply), a.quiet(ctx, tenant))
}

// Decline answers a recipient's request with no and a sentence. The copy stays
// held.
func (a *Admin) Decline(ctx context.Context, tenant string, id mail.ID, n int, answer string) error {
	answer = strings.TrimSpace(answer)
	if answer == "" || utf8.RuneCountInString(answer) > 500 {
		return mail.Refuse("say why in a sentence, of at most 500 letters: the person reads it")
	}
	err := a.Store.Answer(ctx, tenant, id, n, store.Declined, a.Actor, answer)
	if errors.Is(err, store.ErrNotFound) {
		return mail.Refuse("this request was answered already")
	}
	if err != nil {
		return err
	}
	return errors.Join(a.note(ctx, tenant, "request.decline", copyName(id, n), "", answer), a.quiet(ctx, tenant))
}

// quiet ends the alarm about requests when none waits.
func (a *Admin) quiet(ctx context.Context, tenant string) error {
	open, err := a.Store.OpenRequests(ctx, tenant)
	if err != nil || len(open) > 0 {
		return err
	}
	return a.Store.Clear(ctx, RequestAlarm, tenant)
}

// RequestAlarm is the kind of the alarm that recipients' requests raise.
const RequestAlarm = "release-asked"

func copyName(id mail.ID, n int) string { return fmt.Sprintf("%s.%d", id, n) }

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/internal/mail"
)

// In what another message is like one. They are words of the portal.
const (
	AlikeSender     = "same sender's domain"
	AlikeSubject    = "like subject"
	AlikeLink       = "link to the same host"
	AlikeAttachment = "same attachment"
)

// An Alike is another copy that is like one, and in what.
type Alike struct {
	TraceRow
	In []string
}

// Bounds on the search for similar mail.
const (
	similarTime   = 14 * 24 * time.Hour
	similarEach   = 60                     // rows for each likeness
	similarBudget = 250 * time.Millisecond // for each question
	similarHosts  = 3                      // hosts of links that are asked for
	leastSubject  = 8                      // characters of a subject that tell anything
)

// Similar finds copies received within 14 days around one that have something in
// common with it: the newest first, those that are most alike before them. whole is
// false when there was too much mail to look at all of it in time.
func (s *Store) Similar(ctx context.Context, row TraceRow, j *mail.Judgement) (all []Alike, whole bool, err error) {
	base := TraceFilter{Tenant: row.Tenant, Since: row.Received.Add(-similarTime), Until: row.Received.Add(similarTime), Limit: similarEach, Budget: similarBudget}
	whole = true
	found := map[string]*Alike{}
	ask := func(in string, f TraceFilter, is func(TraceRow) bool) error {
		page, err := s.Search(ctx, f, false)
		if err != nil {
			return fmt.Errorf("similar to %s: %w", row.ID, err)
		}
		whole = whole && page.Reached == ""
		for _, r := range page.Rows {
			if r.ID == row.ID || !is(r) {
				continue
			}
			key := r.Cursor(false)
			if found[key] == nil {
				found[key] = &Alike{TraceRow: r}
			}
			if a := found[key]; !slices.Contains(a.In, in) {
				a.In = append(a.In, in)
			}
		}
		return nil
	}
	each := func(TraceRow) bool { return true }
	if domain := mail.DomainOf(row.From); domain != "" {
		f := base
		f.From = "@" + domain
		if err := ask(AlikeSender, f, func(r TraceRow) bool { return mail.DomainOf(r.From) == domain }); err != nil {
			return nil, false, err
		}
	}
	if part := subjectCore(row.Subject); part != "" {
		f := base
		f.Subject = part
		if err := ask(AlikeSubject, f, each); err != nil {
			return nil, false, err
		}
	}
	if j != nil {
		if err := s.similarContent(ctx, row, j, base, ask); err != nil {
			return nil, false, err
		}
	}
	for _, a := range found {
		all = append(all, *a)
	}
	slices.SortFunc(all, func(a, b Alike) int {
		return cmp.Or(len(b.In)-len(a.In), b.Received.Compare(a.Received), strings.Compare(string(a.ID), string(b.ID)), a.N-b.N)
	})
	return all, whole, nil
}

// similarContent asks by what the message carries.
func (s *Store) similarContent(ctx context.Context, row TraceRow, j *mail.Judgement, base TraceFilter, ask func(string, TraceFilter, func(TraceRow) bool) error) error {
	for i, host := range j.Links {
		if i == similarHosts {
			break
		}
		f := base
		f.Link = host
		if err := ask(AlikeLink, f, func(TraceRow) bool { return true }); err != nil {
			return err
		}
	}
	for i, part := range j.Parts {
		if part.Name == "" || part.SHA256 == "" || i > similarEach {
			continue
		}
		f := base
		f.Attachment = part.Name
		if err := ask(AlikeAttachment, f, func(r TraceRow) bool {
			other, err := s.Judgement(ctx, r.ID)
			if errors.Is(err, ErrNotFound) || err != nil {
				return false
			}
			return slices.ContainsFunc(other.Parts, func(p mail.PartInfo) bool { return p.SHA256 == part.SHA256 })
		}); err != nil {
			return err
		}
		break // the first that has a name says enough
	}
	return nil
}

var (
	answerMarks = regexp.MustCompile(`(?i)^\s*((re|fwd?|aw|wg|tr|rv)\s*:\s*)+`)
	changing    = regexp.MustCompile(`[\pN#*_\[\]()"'<>/\\|:;,.!?-]+`)
)

// subjectCore is the longest part of a subject that campaigns keep: without marks of
// answers, numbers and signs; "" if it is too short to tell anything.
func subjectCore(subject string) string {
	longest := ""
	for _, part := range changing.Split(answerMarks.ReplaceAllString(subject, ""), -1) {
		if part = strings.TrimSpace(part); len([]rune(part)) > len([]rune(longest)) {
			longest = part
		}
	}
	if len([]rune(longest)) < leastSubject {
		return ""
	}
	return longest
}

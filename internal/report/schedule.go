package report

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"postern/internal/mail"
)

// A Schedule says when a tenant's report goes by mail, and to whom.
type Schedule struct {
	Every    string    `json:"every"` // "weekly" on Mondays, "monthly" on the first, "" never
	Hour     int       `json:"hour"`  // of UTC, 0-23
	To       []string  `json:"to"`    // in the tenant's own domains
	Language string    `json:"language"`
	Since    time.Time `json:"since"` // when it was set: earlier slots are not due
}

// Slot is the latest moment, not after now, at which a report was due, and the days
// it is about; zero if none is due.
func (s Schedule) Slot(now time.Time) (slot time.Time, about Range) {
	now = now.UTC()
	today := now.Truncate(day)
	switch s.Every {
	case "weekly":
		slot = today.Add(-time.Duration((int(today.Weekday())+6)%7)*day + time.Duration(s.Hour)*time.Hour)
		if slot.After(now) {
			slot = slot.Add(-7 * day)
		}
		about = Range{slot.Truncate(day).Add(-7 * day), slot.Truncate(day)}
	case "monthly":
		slot = time.Date(now.Year(), now.Month(), 1, s.Hour, 0, 0, 0, time.UTC)
		if slot.After(now) {
			slot = slot.AddDate(0, -1, 0)
		}
		about = Month(slot.AddDate(0, 0, -1))
	}
	if slot.IsZero() || slot.Before(s.Since) {
		return time.Time{}, Range{}
	}
	return slot, about
}

// LetterID is the id of the letter of a slot to one reader. It is always the same,
// so that the ledger takes each letter once, however often and wherever it is made.
func LetterID(tenant string, slot time.Time, to string) mail.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "report\x00%s\x00%d\x00%s", tenant, slot.UnixMilli(), to))
	var id ulid.ULID
	_ = id.SetTime(uint64(slot.UnixMilli())) // far from the year 10889
	_ = id.SetEntropy(sum[:10])
	return mail.ID(id.String())
}

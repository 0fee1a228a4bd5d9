package mail

import (
	"slices"
	"time"
)

// A Permission says what people may do with held mail that is for them.
type Permission string

const (
	MayRelease Permission = "release" // by themselves
	MayAsk     Permission = "ask"     // an administrator decides
	MayNot     Permission = "never"
)

// HighPhish is the number of points from which on phishing is not the recipient's
// to release, whatever the tenant allows: twice policy's default threshold.
const HighPhish = 100

// Recipients is what a tenant decided for the people its mail is for. The zero
// value is the default, with which no digest is sent.
type Recipients struct {
	May      map[Verdict]Permission // missing means the default
	Listed   []Verdict              // classes that digests list; nil: all that may be released or asked for
	Digest   Schedule               // of those who chose none of their own
	Since    time.Time              // when Digest was chosen: digests begin after it
	Zone     string                 // IANA name, "" for UTC
	Lang     string                 // "en"; "" for English
	FromName string                 // of digests; "" for the tenant's name
	FromAddr string                 // of digests; "" for quarantine@ the recipient's own domain
}

// Permission is what recipients may do with a copy of that verdict and score.
// Malware and high phishing are never theirs to release.
func (r Recipients) Permission(v Verdict, score int) Permission {
	if v == "" {
		v = Unjudged // held before it was judged
	}
	may, ok := r.May[v]
	if !ok {
		may = defaultPermission(v)
	}
	if may == MayRelease && (v == Malware || v == Phish && score >= HighPhish) {
		return MayAsk
	}
	return may
}

func defaultPermission(v Verdict) Permission {
	switch v {
	case Clean, Bulk, Spam:
		return MayRelease
	case Suspicious, Unjudged:
		return MayAsk
	}
	return MayNot
}

// Lists reports whether digests list a class.
func (r Recipients) Lists(v Verdict) bool {
	if v == "" {
		v = Unjudged
	}
	if r.Listed == nil {
		return r.Permission(v, 0) != MayNot
	}
	return slices.Contains(r.Listed, v)
}

// How often digests are sent.
const (
	Never  = "off"
	Daily  = "daily"
	Often  = "often" // several times a day
	Weekly = "weekly"
)

// A Schedule says when digests are sent. The zero value is never.
type Schedule struct {
	Every string       // Never, Daily, Often or Weekly; "" is Never
	Hours []int        // 0 to 23, ascending; one for Daily and Weekly
	Day   time.Weekday // of Weekly
}

// Off reports whether no digest is to be sent.
func (s Schedule) Off() bool { return s.Every == "" || s.Every == Never || len(s.Hours) == 0 }

// Slot is the last moment at or before now at which a digest was due in zone, the
// zero time if there is none.
func (s Schedule) Slot(now time.Time, zone *time.Location) time.Time {
	if s.Off() {
		return time.Time{}
	}
	today := now.In(zone)
	for back := range 8 {
		year, month, day := today.AddDate(0, 0, -back).Date()
		for i := len(s.Hours) - 1; i >= 0; i-- {
			at := time.Date(year, month, day, s.Hours[i], 0, 0, 0, zone)
			if !at.After(now) && (s.Every != Weekly || at.Weekday() == s.Day) {
				return at.UTC()
			}
		}
	}
	return time.Time{}
}

package portal

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay/quarantine"
	"postern/internal/store"
)

// ownSettingsPage is how a recipient is written to.
type ownSettingsPage struct {
	*shell
	Settings store.PersonSettings
	Habit    habit
	Digests  bool   // the tenant has digests at all
	Zone     string // that counts now
	Why      string
}

// habit is a schedule as a form shows it.
type habit struct{ Every, Hours, Day string }

func habitOf(s *mail.Schedule) habit {
	if s == nil {
		return habit{Hours: "8", Day: "1"}
	}
	var hours []string
	for _, h := range s.Hours {
		hours = append(hours, strconv.Itoa(h))
	}
	if len(hours) == 0 {
		hours = []string{"8"}
	}
	every := s.Every
	if every == "" {
		every = mail.Never
	}
	day := int(time.Monday)
	if every == mail.Weekly {
		day = int(s.Day)
	}
	return habit{every, strings.Join(hours, ", "), strconv.Itoa(day)}
}

// Days are the days of the week, Monday first, by number.
func (habit) Days() []string { return []string{"1", "2", "3", "4", "5", "6", "0"} }

// schedule reads the form back; nil for the organization's.
func (h habit) schedule() *mail.Schedule {
	if h.Every == "" {
		return nil
	}
	s := &mail.Schedule{Every: h.Every}
	for part := range strings.FieldsFuncSeq(h.Hours, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = -1 // refused with its reason
		}
		s.Hours = append(s.Hours, n)
	}
	if n, err := strconv.Atoi(h.Day); err == nil {
		s.Day = time.Weekday(n)
	}
	return s
}

// Zones are those offered; any other may be written.
func (*shell) Zones() []string {
	return []string{"UTC", "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Luxembourg", "Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich",
		"America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Lima", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Santiago", "America/Sao_Paulo", "America/Toronto", "America/Vancouver",
		"Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Manila", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Brisbane", "Australia/Perth", "Australia/Sydney", "Pacific/Auckland"}
}

func (p *Portal) ownSettings(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.showOwnSettings(w, r, v, http.StatusOK, ownSettingsPage{Settings: v.person.PersonSettings, Habit: habitOf(v.person.Digest)})
}

func (p *Portal) showOwnSettings(w http.ResponseWriter, r *http.Request, v *visit, status int, page ownSettingsPage) error {
	page.shell = p.shell(r, v, "My settings")
	rules, err := p.Store.Recipients(r.Context(), v.tenant.ID)
	if err != nil {
		return err
	}
	page.Digests, page.Zone = !rules.Digest.Off(), quarantine.Zone(rules, v.person).String()
	return p.render(w, status, "own-settings", page)
}

func (p *Portal) setOwn(w http.ResponseWriter, r *http.Request, v *visit) error {
	h := habit{r.PostFormValue("every"), r.PostFormValue("hours"), r.PostFormValue("day")}
	s := store.PersonSettings{Lang: r.PostFormValue("lang"), Zone: strings.TrimSpace(r.PostFormValue("zone")), Digest: h.schedule()}
	if err := v.SetPerson(r.Context(), v.tenant.ID, v.person.Addr, s); err != nil {
		return p.showOwnSettings(w, r, v, http.StatusUnprocessableEntity, ownSettingsPage{Settings: s, Habit: h, Why: v.words.T("This was not kept. Check the time zone, and the hours: whole numbers from 0 to 23, such as 8, 12, 16; one for daily and weekly.")})
	}
	return tell(w, r, "/settings", "good", v.words.T("Your settings are kept."))
}

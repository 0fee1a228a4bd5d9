package admin

import "postern/internal/mail"

// verdicts says whether mail is held for its verdict.
func (f *facts) verdicts() mail.Health {
	h := mail.Health{Name: "verdicts", Lamp: mail.Green, Title: mail.Say("Is bad mail held?"), Text: mail.Say("Yes: the thresholds and actions count."), Link: "policies"}
	switch {
	case f.bypass.On(f.now):
		h.Lamp, h.Text = mail.Red, mail.Say("No: the bypass is on until %s. Everything is delivered.", f.bypass.Until)
		h.Do, h.Link = mail.Say("Switch the bypass off as soon as good mail is not held any more."), "policies#bypass"
	case f.observe.On(f.now):
		h.Lamp, h.Text = mail.Amber, mail.Say("Malware only, until %s: mail is judged and marked, but not held.", f.observe.Until)
		if len(f.observe.Hold) > 0 {
			h.Text = mail.Say("Malware and chosen verdicts only, until %s: other mail is judged and marked, but not held.", f.observe.Until)
		}
		h.Do, h.Link = mail.Say("End observing when the verdicts are what you expect."), "draft#observe"
		if f.observe.Ending(f.now) {
			h.Do = mail.Say("This ends soon: look at what would have been held, and set the thresholds before.")
		}
	}
	return h
}

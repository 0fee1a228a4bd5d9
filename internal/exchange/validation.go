package exchange

import (
	"regexp"
	"strings"

	"postern/internal/mail"
)

// A Validation is the result tree of Validate-OutboundConnector, flattened to
// its leaves.
type Validation struct {
	Steps []ValidationStep `json:"steps"`
}

// A ValidationStep is one test: connectivity (name, connection, EHLO, STARTTLS and
// certificate) or the test message.
type ValidationStep struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	OK     bool   `json:"ok"`
	Mail   bool   `json:"mail"` // belongs to the test message, which may fail
}

var mailTask = regexp.MustCompile(`(?i)(send|test).*(e-?mail|message)`)

func readValidation(result []map[string]any) Validation {
	var v Validation
	var walk func(o map[string]any, mail bool)
	walk = func(o map[string]any, mail bool) {
		name := text(o["TaskName"])
		mail = mail || mailTask.MatchString(name)
		subs, _ := o["SubTaskResults"].([]any)
		if list, ok := o["SubTaskResults"].([]map[string]any); ok {
			for _, s := range list {
				subs = append(subs, s)
			}
		}
		for _, s := range subs {
			if m, ok := s.(map[string]any); ok {
				walk(m, mail)
			}
		}
		if len(subs) == 0 && name != "" {
			v.Steps = append(v.Steps, ValidationStep{name, text(o["TaskDetail"]), boolOf(o["IsTaskSuccessful"]) == "true", mail})
		}
	}
	for _, o := range result {
		walk(o, false)
	}
	return v
}

// problem is nil if the connectivity tests succeeded, as the guide reads the
// result: "Check connectivity should succeed. If Send test email fails, it's OK."
func (v Validation) problem() error {
	reached := false
	for _, s := range v.Steps {
		if s.Mail {
			continue
		}
		reached = true
		if !s.OK {
			return NewProblem("validation", mail.Say("Exchange could not connect to the relay: “%s” failed%s.", s.Name, detail(s)), mendValidation(s.Detail), nil)
		}
	}
	if !reached {
		return &Problem{Code: "validation", Cause: mail.Say("Exchange answered the validation of the connector without a connectivity test."), Mend: mail.Say("Apply again; if it stays, validate the connector in the Exchange admin center and read the result there.")}
	}
	return nil
}

func detail(s ValidationStep) string {
	if s.Detail == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(s.Detail, ".") + ")"
}

func mendValidation(detail string) mail.Sentence {
	d := strings.ToLower(detail)
	switch {
	case strings.Contains(d, "certificate") || strings.Contains(d, "subjectmismatch") || strings.Contains(d, "4.7.320"):
		return mail.Say("Give the relay a certificate of a public CA that carries the configured name, with its full chain, then apply again.")
	case strings.Contains(d, "starttls"):
		return mail.Say("Switch STARTTLS on in the relay (a certificate must be configured), then apply again.")
	case strings.Contains(d, "refused") || strings.Contains(d, "timed out") || strings.Contains(d, "4.4.316"):
		return mail.Say("Make port 25 of the relay reachable from Microsoft's networks (firewall, port forwarding), then apply again.")
	}
	return mail.Say("Check that the smart host's name is right and leads to the relay, and that port 25 is reachable, then apply again.")
}

func (s ValidationStep) sentence() mail.Sentence {
	switch {
	case s.OK:
		return mail.Say("%s: succeeded.", s.Name)
	case s.Mail:
		return mail.Say("%s: failed%s, which is no harm: no rule uses the connector yet.", s.Name, detail(s))
	}
	return mail.Say("%s: failed%s.", s.Name, detail(s))
}

package digest

import (
	"fmt"
	"strings"
)

// text is the digest for those who read without HTML.
func (v view) text() string {
	var b strings.Builder
	if v.Test {
		fmt.Fprintf(&b, "%s\n\n", v.T("This is a test with made-up messages; its links lead nowhere."))
	}
	fmt.Fprintf(&b, "%s\n", v.Lead)
	for _, r := range v.Rows {
		fmt.Fprintf(&b, "\n%s: %s\n%s: %s\n%s: %s\n%s: %s\n", v.T("From"), r.plainFrom, v.T("Subject"), r.plainSubject, v.T("Held since"), r.Held, v.T("Why"), r.What)
		if r.plainWhy != "" {
			fmt.Fprintf(&b, "%s\n", r.plainWhy)
		}
		if r.Until != "" {
			fmt.Fprintf(&b, "%s: %s\n", v.T("Kept until"), r.Until)
		}
		if r.Link == "" {
			fmt.Fprintf(&b, "%s\n", r.Do)
			continue
		}
		fmt.Fprintf(&b, "%s:\n%s\n", r.Do, r.Link)
	}
	if v.More {
		fmt.Fprintf(&b, "\n%s\n", v.T("There are more; your own page lists all of them."))
	}
	fmt.Fprintf(&b, "\n%s\n\n-- \n%s\n%s\n", v.Never, v.Why, v.URL)
	return b.String()
}

func (v view) signInText() string {
	return fmt.Sprintf("%s\n%s\n\n%s\n\n%s\n\n-- \n%s\n", v.Lead, v.T("Open this link within 15 minutes and press the button there:"), v.URL, v.Never, v.Tenant)
}

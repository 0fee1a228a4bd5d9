package portal

import (
	"net/http"

	"postern/internal/mail"
)

// designPage shows the type, the colours and the components that pages are made of.
type designPage struct {
	*shell
	Colours  []string
	Verdicts []mail.Verdict
	States   []mail.State
}

func (p *Portal) design(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.render(w, http.StatusOK, "design", designPage{
		shell:    p.shell(r, v, "Design"),
		Colours:  []string{"ground", "surface", "raised", "line", "ink", "soft", "accent", "good", "warn", "bad"},
		Verdicts: verdictsInOrder,
		States:   []mail.State{mail.Accepted, mail.Delivering, mail.Delivered, mail.Held, mail.Dropped, mail.Returned},
	})
}

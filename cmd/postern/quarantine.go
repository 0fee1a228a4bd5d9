package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"postern/internal/mail"
	"postern/internal/relay"
	"postern/internal/relay/deliver"
	"postern/internal/store"
	"postern/internal/webhook"
)

type quarantineCmd struct {
	List    quarantineListCmd    `cmd:"" help:"List held mail."`
	Show    quarantineShowCmd    `cmd:"" help:"Show one held message: reasons, authentication, parts, headers."`
	Release quarantineReleaseCmd `cmd:"" help:"Send held mail on to its mailbox, once."`
	Delete  quarantineDeleteCmd  `cmd:"" help:"Drop held mail, at once and for good."`
	Report  quarantineReportCmd  `cmd:"" help:"Say that a message was judged wrongly, held or not."`
}

type quarantineListCmd struct {
	Tenant  string `help:"Only this tenant's."`
	From    string `help:"Part of the sender's address."`
	To      string `help:"Part of the recipient's address."`
	Subject string `help:"Part of the subject."`
	Verdict string `help:"Only this verdict."`
	Limit   int    `default:"1000"`
	sought  `embed:""`
}

type heldView struct {
	ID        string       `json:"id"` // of one recipient's copy
	Tenant    string       `json:"tenant"`
	From      string       `json:"from"`
	To        string       `json:"to"`
	Subject   string       `json:"subject"`
	Verdict   mail.Verdict `json:"verdict"`
	Score     int          `json:"score"`
	Reasons   []string     `json:"reasons"`
	HeldAt    time.Time    `json:"held_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	State     mail.State   `json:"state"`
}

// copyID names one recipient's copy of a message: a message id alone means all of
// its held copies.
func copyID(id mail.ID, n int) string { return string(id) + "." + strconv.Itoa(n) }

// parseCopy reads what copyID wrote, or a message id; then n is -1.
func parseCopy(text string) (id mail.ID, n int, err error) {
	before, number, numbered := strings.Cut(text, ".")
	id, n = mail.ID(before), -1
	if numbered {
		n, err = strconv.Atoi(number)
	}
	if err != nil || (numbered && n < 0) || !id.Valid() {
		return "", 0, usageError(fmt.Sprintf("%q is no id of held mail: copy one from postern quarantine list", text))
	}
	return id, n, nil
}

func viewHeld(r store.TraceRow) heldView {
	v := heldView{copyID(r.ID, r.N), r.Tenant, r.From, r.To, r.Subject, r.Verdict, r.Score, r.Reasons, r.HeldAt, r.ExpiresAt, r.State}
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	return v
}

func (q *quarantineListCmd) Run(c *console) error {
	f, err := q.sought.filter()
	if err != nil {
		return err
	}
	f.From, f.To, f.Subject, f.Limit = q.From, q.To, q.Subject, q.Limit
	f.Verdict = cmp.Or(mail.Verdict(q.Verdict), f.Verdict)
	return c.with(func(o *opened) error {
		if f.Tenant, err = o.tenant(c.ctx, q.Tenant); err != nil {
			return err
		}
		rows, err := o.store.Quarantine(c.ctx, f)
		if err != nil {
			return err
		}
		views := make([]heldView, 0, len(rows))
		for _, r := range rows {
			views = append(views, viewHeld(r))
		}
		return c.print(views, func(w io.Writer) {
			table(w, "ID\tHELD\tFROM\tTO\tSUBJECT\tVERDICT\tWHY", len(views), func(t io.Writer, i int) {
				v := views[i]
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, day(v.HeldAt), show(v.From, 30), show(v.To, 30), show(v.Subject, 30), v.Verdict, show(firstOf(v.Reasons), 60))
			})
		})
	})
}

type quarantineReleaseCmd struct {
	IDs      []string `arg:"" name:"id" help:"Ids from quarantine list, or of messages for all their held copies."`
	Override bool     `help:"Also what is found to be phishing, or cannot be checked, when it is judged again. Malware is never released."`
}

func (q *quarantineReleaseCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		r, done, err := c.releaser(o)
		if err != nil {
			return err
		}
		defer done()
		return c.eachCopy(o, q.IDs, func(m *store.Message, n int) (copyView, error) {
			out, err := r.Release(c.ctx, relay.Order{Tenant: m.Tenant, ID: m.ID, N: n, By: "command line", Override: q.Override})
			if err != nil {
				return copyView{}, err
			}
			id := copyID(m.ID, n)
			return copyView{id, releasedState(out.Kind), out.Reply}, o.admin().NoteRelease(c.ctx, m.Tenant, id, out.Reply)
		})
	})
}

// closeHooks lets notices out before the program ends.
func closeHooks(c *console, hooks *webhook.Sender) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 5*time.Second)
	defer cancel()
	hooks.Close(ctx)
}

func releasedState(k deliver.Kind) mail.State {
	switch k {
	case deliver.Delivered:
		return mail.Delivered
	case deliver.Deferred:
		return mail.Delivering
	}
	return mail.Held
}

type quarantineDeleteCmd struct {
	IDs []string `arg:"" name:"id" help:"Ids from quarantine list, or of messages for all their held copies."`
}

func (q *quarantineDeleteCmd) Run(c *console) error {
	return c.with(func(o *opened) error {
		return c.eachCopy(o, q.IDs, func(m *store.Message, n int) (copyView, error) {
			err := o.admin().DeleteHeld(c.ctx, m.Tenant, m.ID, n)
			return copyView{copyID(m.ID, n), mail.Dropped, ""}, err
		})
	})
}

type copyView struct {
	ID    string     `json:"id"`
	State mail.State `json:"state"`
	Reply string     `json:"reply"`
}

// eachCopy does something to held copies and reports on each; one that fails does
// not stop the others.
func (c *console) eachCopy(o *opened, ids []string, do func(m *store.Message, n int) (copyView, error)) error {
	views := []copyView{}
	failed := false
	for _, text := range ids {
		copies, m, err := heldCopies(c, o, text)
		if err != nil {
			return err
		}
		for _, n := range copies {
			v, err := do(m, n)
			if errors.Is(err, store.ErrNotHeld) {
				err = fmt.Errorf("%s is not held (any more): it was released, deleted or has expired", copyID(m.ID, n))
			}
			if err != nil {
				failed = true
				fmt.Fprintf(c.err, "postern: %s\n", oneLine(err))
				continue
			}
			views = append(views, v)
		}
	}
	if err := c.print(views, func(w io.Writer) {
		for _, v := range views {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.ID, v.State, show(v.Reply, 200))
		}
	}); err != nil {
		return err
	}
	if failed {
		return errSilent
	}
	return nil
}

// heldCopies are the recipients' numbers that text names.
func heldCopies(c *console, o *opened, text string) ([]int, *store.Message, error) {
	id, n, err := parseCopy(text)
	if err != nil {
		return nil, nil, err
	}
	m, err := o.store.Message(c.ctx, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, fmt.Errorf("there is no message %s", id)
	}
	if err != nil {
		return nil, nil, err
	}
	if n >= 0 {
		return []int{n}, m, nil
	}
	var copies []int
	for _, to := range m.Recipients {
		if to.State == mail.Held {
			copies = append(copies, to.N)
		}
	}
	if len(copies) == 0 {
		return []int{m.Recipients[0].N}, m, nil // do says that it is not held
	}
	return copies, m, nil
}

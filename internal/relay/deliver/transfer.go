package deliver

import (
	"context"
	"errors"
	"io"
	"strings"

	"postern/internal/mail"
)

// transfer is a job on its way through the MTAs: what is settled, what was said
// last about the rest.
type transfer struct {
	job    *Job
	out    []Outcome
	done   []bool
	left   int           // not done
	hops   []string      // why MTAs could not be used
	last   mail.MTA      // tried last
	signal Signal        // of the hops that could not be used
	broken *hopError     // our own content could not be read
	eight  map[bool]bool // answers of has8bit, by its header argument
}

func newTransfer(job *Job) *transfer {
	t := &transfer{job: job, out: make([]Outcome, len(job.Rcpts)), done: make([]bool, len(job.Rcpts)), left: len(job.Rcpts)}
	for i, r := range job.Rcpts {
		t.out[i].Rcpt = r
		if !validPath(r.Addr) || r.Addr == "" {
			t.settle(i, Outcome{Kind: Undeliverable, Reply: "the recipient's address cannot be written in SMTP"})
		}
	}
	if !validPath(job.From) {
		t.settleAll(t.pending(), Outcome{Kind: Undeliverable, Reply: "the sender's address cannot be written in SMTP"})
	}
	return t
}

func (t *transfer) settled() bool { return t.left == 0 }

func (t *transfer) pending() []int {
	var p []int
	for i, done := range t.done {
		if !done {
			p = append(p, i)
		}
	}
	return p
}

// settle ends one recipient's attempt.
func (t *transfer) settle(i int, o Outcome) {
	t.note(i, o)
	t.done[i] = true
	t.left--
}

func (t *transfer) settleAll(batch []int, o Outcome) {
	for _, i := range batch {
		t.settle(i, o)
	}
}

// note keeps what an MTA said of a recipient for whom the next MTA is tried. That
// one hop may take it later outweighs that another never will.
func (t *transfer) note(i int, o Outcome) {
	if o.Kind == Undeliverable && t.out[i].Kind == Deferred {
		return
	}
	o.Rcpt = t.out[i].Rcpt
	t.out[i] = o
}

// hopFailed keeps why mta could not be used.
func (t *transfer) hopFailed(mta mail.MTA, err *hopError) {
	if errors.Is(err, errContent) {
		t.broken = err
	}
	t.last = mta
	text := err.Error()
	signal := Down
	if err.reply != nil {
		text = err.reply.String() + " (in answer to " + err.stage + ")"
		signal = Busy
		if err.stage == theConnection && err.reply.permanent() {
			signal = Down
		}
	}
	t.hops = append(t.hops, mta.Address()+": "+text)
	t.signal = max(t.signal, signal)
	if len(t.job.MTAs) == 1 {
		t.hops = []string{text}
	}
}

// outcomes completes and returns what is known of each recipient.
func (t *transfer) outcomes(ctx context.Context) []Outcome {
	reply := strings.Join(t.hops, "; ")
	switch {
	case t.broken != nil:
		reply = t.broken.err.Error()
	case ctx.Err() != nil:
		reply = "interrupted, this relay is stopping"
	case len(t.job.MTAs) == 0:
		reply = "the domain has no MTA"
	}
	for _, i := range t.pending() {
		o := &t.out[i]
		if o.Kind == Deferred || o.Kind == Undeliverable && len(t.hops) == 0 {
			continue // an MTA answered for this recipient
		}
		o.Kind, o.Reply = Deferred, reply
		if t.broken == nil && ctx.Err() == nil {
			o.Signal = t.signal
		}
		if t.last.Host != "" {
			o.MTA = t.last.Address()
		}
	}
	return t.out
}

// holds8bit looks through the content (or its header only) once for octets above
// 127.
func (t *transfer) holds8bit(header bool) (bool, error) {
	if is, known := t.eight[header]; known {
		return is, nil
	}
	r, err := t.job.Open()
	if err != nil {
		return false, errors.Join(errContent, err)
	}
	defer r.Close()
	is, err := has8bit(io.MultiReader(strings.NewReader(string(t.job.Prepend)), r), header)
	if err != nil {
		return false, err
	}
	if t.eight == nil {
		t.eight = make(map[bool]bool)
	}
	t.eight[header] = is
	return is, nil
}

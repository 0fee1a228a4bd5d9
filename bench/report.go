package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report gathers the rounds of a run.
type report struct {
	Conditions []condition          `json:"conditions"`
	Rounds     map[string][]figures `json:"rounds"` // by peer
	LeftOut    map[string]string    `json:"left_out,omitempty"`
	plan       *plan
}

type condition struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newReport(p *plan, w *world) *report {
	r := &report{Rounds: make(map[string][]figures), LeftOut: make(map[string]string), plan: p}
	say := func(name, format string, a ...any) {
		r.Conditions = append(r.Conditions, condition{name, fmt.Sprintf(format, a...)})
	}
	say("Date", "%s", time.Now().UTC().Format("2006-01-02 15:04 MST"))
	say("Measured", "%s", p.commit)
	say("Command", "bench/run.sh %s", strings.Join(ownArguments(os.Args[1:]), " "))
	say("Processor", "%d × %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"))
	say("Memory", "%s", field("/proc/meminfo", "MemTotal"))
	say("Kernel", "%s", strings.TrimSpace(file("/proc/sys/kernel/osrelease")))
	say("Disk", "%s", output("df", "--output=fstype,source", w.dir))
	say("Load before", "%s", strings.TrimSpace(file("/proc/loadavg")))
	say("Sessions", "%d, each with STARTTLS, one message after the other; the handshake is in the first", p.sessions)
	say("Mail", "%d messages of %d octets on average: %d of %s, the others composed and signed with DKIM", len(w.mail.mix), w.mail.mean(), w.mail.real, w.mail.where)
	say("Rounds", "%d of %d s each; the table has medians", p.rounds, p.seconds)
	say("Versions", "%s; Postfix %s; %s", runtime.Version(), output("postconf", "-dh", "mail_version"), output("rspamd", "--version"))
	return r
}

func (r *report) add(p peer, f figures) { r.Rounds[p.name] = append(r.Rounds[p.name], f) }

func (r *report) leaveOut(p peer, why error) { r.LeftOut[p.name] = why.Error() }

// write puts latest.md, latest.json and latest.svg into folder.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text := r.markdown()
	fmt.Print("\n", text)
	for name, content := range map[string]string{"latest.json": string(body) + "\n", "latest.md": text, "latest.svg": r.plot()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// markdown is the table and the conditions.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Postern beside other relays\n\nWritten by `make bench`. How it is measured: [../README.md](../README.md).\n\n")
	b.WriteString("| relay | accepted/s | delivered/s | CPU s/1000 | p50 ms | p99 ms | peak PSS MiB | peak RSS MiB | PSS at 20 MiB × 2 | other CPUs |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range peers() {
		f, ok := r.median(p.name)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.2f | %.1f | %.1f | %.0f | %.0f | %.0f | %.1f |\n", p.name, f.Accepted, f.Delivered, f.CPU, f.P50, f.P99, f.PSS, f.RSS, f.LargePSS, f.Others)
	}
	b.WriteString("\n![Messages a second and CPU](latest.svg)\n\n")
	for _, p := range peers() {
		switch f, ok := r.median(p.name); {
		case ok && (f.Lost > 0 || f.Twice > 0 || f.Changed > 0):
			fmt.Fprintf(&b, "- **%s**: %s. %d messages lost, %d delivered twice, %d bodies changed.\n", p.name, p.does, f.Lost, f.Twice, f.Changed)
		case ok && f.Held > 0:
			fmt.Fprintf(&b, "- **%s**: %s. It held %d of %d messages, which count as delivered here.\n", p.name, p.does, f.Held, f.Sent)
		case ok:
			fmt.Fprintf(&b, "- **%s**: %s.\n", p.name, p.does)
		case r.LeftOut[p.name] != "":
			fmt.Fprintf(&b, "- **%s** was left out: %s.\n", p.name, r.LeftOut[p.name])
		}
	}
	b.WriteString("\n| condition | |\n|---|---|\n")
	for _, c := range r.Conditions {
		fmt.Fprintf(&b, "| %s | %s |\n", c.Name, c.Value)
	}
	return b.String()
}

// median of each figure; what went wrong is summed up.
func (r *report) median(name string) (f figures, ok bool) {
	all := r.Rounds[name]
	if len(all) == 0 {
		return f, false
	}
	of := func(get func(figures) float64) float64 {
		v := make([]float64, len(all))
		for i := range all {
			v[i] = get(all[i])
		}
		slices.Sort(v)
		return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	f = figures{
		Accepted:  of(func(f figures) float64 { return f.Accepted }),
		Delivered: of(func(f figures) float64 { return f.Delivered }),
		CPU:       of(func(f figures) float64 { return f.CPU }),
		P50:       of(func(f figures) float64 { return f.P50 }),
		P99:       of(func(f figures) float64 { return f.P99 }),
		PSS:       of(func(f figures) float64 { return f.PSS }),
		RSS:       of(func(f figures) float64 { return f.RSS }),
		Others:    of(func(f figures) float64 { return f.Others }),
		LargePSS:  all[0].LargePSS,
	}
	for _, one := range all {
		f.Sent, f.Held, f.Lost, f.Twice, f.Changed = f.Sent+one.Sent, f.Held+one.Held, f.Lost+one.Lost, f.Twice+one.Twice, f.Changed+one.Changed
	}
	return f, true
}

func file(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// field is the value after the colon of the first line that begins with name.
func field(path, name string) string {
	for line := range strings.Lines(file(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// output is the last line that a program prints, "none" without it.
func output(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if err != nil || len(lines) == 0 {
		return "none"
	}
	return strings.Join(strings.Fields(lines[len(lines)-1]), " ")
}

// ownArguments are the arguments that a person gave: run.sh's own come first and
// name folders of the machine.
func ownArguments(args []string) []string {
	var own []string
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-mail", "-postern", "-commit":
			i++
		default:
			own = append(own, args[i])
		}
	}
	return own
}

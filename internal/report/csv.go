package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"postern/internal/store"
)

// CSV writes every number of the report in one table: what it is about, day, name,
// measure, number. It begins with a byte order mark, without which Excel takes
// UTF-8 for something else. Cells that a spreadsheet would run as a formula are
// written as text.
func (rep *Report) CSV(w io.Writer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180 §2
	row := func(table, day, name, measure string, number any) {
		var n string
		switch number := number.(type) {
		case int:
			n = strconv.Itoa(number)
		case time.Duration:
			n = strconv.FormatFloat(number.Seconds(), 'f', 3, 64)
		}
		_ = out.Write([]string{table, day, inert(name), measure, n}) // Flush tells
	}
	_ = out.Write([]string{"table", "day", "name", "measure", "number"})
	for _, d := range rep.Days {
		at := d.At.Format(time.DateOnly)
		row("volume", at, "", "messages", d.N)
		for _, v := range Verdicts {
			row("volume", at, string(v), "messages", d.Verdict[v])
		}
		for _, l := range []struct {
			name   string
			spread store.Spread
		}{{"until judged", d.Judging}, {"until delivered", d.Passing}} {
			if l.spread.N() == 0 {
				continue
			}
			for _, q := range quantiles {
				row("latency", at, l.name, q.Name+" seconds", l.spread.Quantile(q.Q))
			}
		}
	}
	for _, list := range []struct {
		table string
		names []store.Named
	}{{"people", rep.People}, {"targeted people", rep.Targeted}, {"senders", rep.Senders}, {"senders of bad mail", rep.BadFrom},
		{"domains", rep.Domains}, {"domains of bad mail", rep.BadSites}, {"rules", rep.Rules}} {
		for _, n := range list.names {
			row(list.table, "", n.Name, "messages", n.N)
			row(list.table, "", n.Name, "bad messages", n.Bad)
		}
	}
	for _, v := range Verdicts {
		f, ok := rep.Held[v]
		if !ok {
			continue
		}
		row("quarantine", "", string(v), "held", f.Held)
		row("quarantine", "", string(v), "released", f.Released)
		row("quarantine", "", string(v), "deleted", f.Deleted)
		row("quarantine", "", string(v), "expired", f.Expired)
	}
	row("wrong verdicts", "", "wanted mail held", "reports", rep.Wrong.FalsePositives)
	row("wrong verdicts", "", "bad mail let through", "reports", rep.Wrong.FalseNegatives)
	row("wrong verdicts", "", "held as something else", "reports", rep.Wrong.OtherClass)
	out.Flush()
	return out.Error()
}

// inert makes a stranger's text one that no spreadsheet runs (OWASP, CSV
// injection): those that begin like a formula get an apostrophe before them.
func inert(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r\n|", rune(s[0])) {
		return s
	}
	return "'" + s
}

package store

import (
	"strconv"
	"strings"
	"sync"
)

// dialect is what the two databases say differently.
type dialect struct {
	name    string // folder under migrations
	single  bool   // only one process may have it open
	dollar  bool   // parameters are $1, $2 instead of ?
	lockRow string // appended to a SELECT that must keep others from the row
	join    string // a join in the order written: SQLite's planner would sort a tenant's whole mail for one page
	bound   *sync.Map
}

var (
	sqliteDialect   = dialect{name: "sqlite", single: true, join: " CROSS JOIN "}
	postgresDialect = dialect{name: "postgres", dollar: true, lockRow: " FOR UPDATE", join: " JOIN ", bound: new(sync.Map)}
)

// bind writes the parameters of q, which are all "?", as the database wants them.
// No statement of ours has a question mark anywhere else.
func (d dialect) bind(q string) string {
	if !d.dollar {
		return q
	}
	if b, ok := d.bound.Load(q); ok {
		return b.(string)
	}
	var b strings.Builder
	n := 0
	rest := q
	for {
		before, after, ok := strings.Cut(rest, "?")
		b.WriteString(before)
		if !ok {
			break
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		rest = after
	}
	d.bound.Store(q, b.String())
	return b.String()
}

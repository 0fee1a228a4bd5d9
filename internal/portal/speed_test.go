package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/seal"
	"postern/internal/store"
)

const (
	firstPaint = 100 * time.Millisecond // of every page, server time
	searchTime = time.Second
)

// TestPagesOfAFilledStoreAreFast opens the store that postern fill filled and
// measures every page of the router, and every kind of search. POSTERN_FILLED is
// its data folder, POSTERN_FILLED_DSN its database if that is PostgreSQL.
func TestPagesOfAFilledStoreAreFast(t *testing.T) {
	dir := os.Getenv("POSTERN_FILLED")
	if dir == "" {
		t.Skip("set POSTERN_FILLED to the data folder of a store that postern fill filled")
	}
	root, err := seal.Open(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{Folder: dir, DSN: os.Getenv("POSTERN_FILLED_DSN"), AuditKey: root.Derive("audit")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	h := houseOver(t, st, root)
	c := h.client(t, "owner", "")
	const tenant = "fill-001"
	rows, err := st.Trace(t.Context(), store.TraceFilter{Tenant: tenant, Limit: 1})
	if err != nil || len(rows) == 0 {
		t.Fatalf("nothing in %s: %v", dir, err)
	}
	id := fmt.Sprintf("%s.%d", rows[0].ID, rows[0].N)
	for _, rt := range h.routes() {
		if rt.method != "GET" || strings.HasSuffix(rt.path, "/live") {
			continue
		}
		path := strings.ReplaceAll(rt.path, "{id}", id)
		measure(t, c, concrete(path, tenant), firstPaint)
	}
	for _, q := range filledSearches {
		measure(t, c, "/t/"+tenant+"/trace?"+q, searchTime)
		measure(t, c, "/t/"+tenant+"/quarantine?"+q, searchTime)
	}
}

// filledSearches are the kinds there are, over words that are common, rare and
// nowhere in made-up mail.
var filledSearches = []string{
	"subject=invoice", "subject=zaberdel", "subject=" + url.QueryEscape("invoice 4711"), "subject=nowhere+to+be+found", "subject=zz",
	"from=anna.smith", "from=" + url.QueryEscape("anna.smith@dihalfo.example"), "from=habacece.example", "from=nobody@nowhere.example",
	"to=ben.scott2", "to=" + url.QueryEscape("ben.scott2@fill-001.example"), "to=nobody@", "verdict=malware", "verdict=phish&from=anna", "state=dropped", "state=returned",
	"days=1&subject=nowhere+to+be+found", "days=30&subject=invoice+contract",
	"q=invoice", "q=zaberdel", "q=nowheretobefound", "q=" + url.QueryEscape("reason:password"), "q=" + url.QueryEscape("reason:program verdict:malware"),
	"q=" + url.QueryEscape("file:invoice-4711"), "q=" + url.QueryEscape("file:exe"), "q=" + url.QueryEscape("link:cdn.habacece.example"), "q=" + url.QueryEscape("link:nowhere.test"),
	"q=" + url.QueryEscape("from:smith subject:invoice file:pdf"), "q=" + url.QueryEscape("verdict:malware subject:invoice to:ben"),
}

// measure asks for a page some times and tells the middle and the worst. The
// first time counts most: that is what a person waits for.
func measure(t *testing.T, c *client, path string, most time.Duration) {
	t.Helper()
	const times = 7
	var took []time.Duration
	status, size := 0, 0
	for range times {
		began := time.Now()
		var body string
		status, body, _ = c.ask(http.MethodGet, path, nil)
		took = append(took, time.Since(began))
		size = len(body)
		if took[0] > 5*time.Second {
			break
		}
	}
	first := took[0]
	slices.SortFunc(took, cmp.Compare)
	middle, worst := took[len(took)/2], took[len(took)-1]
	t.Logf("%-70s %d %6d B  first %8.1f ms  p50 %8.1f ms  worst %8.1f ms", path, status, size, ms(first), ms(middle), ms(worst))
	if middle > most || status >= 500 {
		t.Errorf("%s: %d, p50 %v, at most %v are allowed", path, status, middle, most)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTheThirdMTATakesOver has a domain whose first MTA refuses connections and
// whose second takes them and says nothing. The third has to have the mail within
// 30 s, and the first again once it is back.
func TestTheThirdMTATakesOver(t *testing.T) {
	third := newSink(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			defer conn.Close() // kept open and silent until the test ends
		}
	}()
	refusing := freePort(t)
	_, port, _ := net.SplitHostPort(refusing)
	p := install(t, settings{judge: false, dns: third.dns})
	p.tenant("Contoso", "contoso.test", sinkHost+":"+port, silent.Addr().String()+",tls=none", third.addr)
	p.start()

	id := p.hand(t, "one")
	began := time.Now()
	row := p.ends(id, "delivered")
	t.Logf("the third MTA had the message after %s", time.Since(began).Round(10*time.Millisecond))
	if time.Since(began) > 30*time.Second || row.MTA != third.addr {
		t.Errorf("%s took it after %s, want %s", row.MTA, time.Since(began), third.addr)
	}
	var took []time.Duration
	for i := range 20 {
		began := time.Now()
		p.ends(p.hand(t, fmt.Sprintf("two.%d", i)), "delivered")
		took = append(took, time.Since(began))
	}
	if slices.Sort(took); took[len(took)/2] > 9*time.Second { // the silent one has ten
		t.Errorf("later messages wait for the dead MTAs again: %v", took)
	}

	first := newSinkAt(t, refusing)
	began = time.Now()
	for n := 0; ; n++ {
		if row := p.ends(p.hand(t, fmt.Sprintf("back.%d", n)), "delivered"); strings.HasSuffix(row.MTA, ":"+port) {
			break
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatal("the first MTA is back and is not used")
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Logf("the first MTA is used again after %s; it has %d messages", time.Since(began).Round(100*time.Millisecond), first.taken.Load())

	// A refusal for good is not tried elsewhere (product.md M6).
	first.set(refuseAll)
	before := third.taken.Load()
	if row := p.ends(p.hand(t, "never"), "held"); !strings.Contains(strings.Join(row.Reasons, " "), "5.1.10") {
		t.Errorf("reasons: %q", row.Reasons)
	}
	if third.taken.Load() != before {
		t.Error("what the first MTA refused for good was tried at the third")
	}
}

// hand hands in a small message and returns its Message-ID.
func (p *program) hand(t *testing.T, name string) string {
	t.Helper()
	id := name + "@outside.test"
	c, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	raw := fmt.Appendf(nil, "x-trustifi-creds: %s\r\nFrom: alice@outside.test\r\nTo: ann@contoso.test\r\nSubject: %s\r\nMessage-ID: <%s>\r\n\r\nHello\r\n", p.key, name, id)
	if a, err := c.send(posting{from: "alice@outside.test", to: []string{"ann@contoso.test"}, raw: raw}); err != nil || a.code != 250 {
		t.Fatalf("%s: %s, %v", id, a, err)
	}
	return id
}

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestACertificateIsReloadedWithoutDroppingASession(t *testing.T) {
	p := install(t, settings{judge: false})
	p.start()
	open, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer open.close()
	before := serial(t, p)
	p.writePair(relayHost)
	p.signal(syscall.SIGHUP)
	waits(t, 30*time.Second, "the new certificate is served", func() bool { return serial(t, p) != before }) // it is looked at by itself once a minute
	if a, err := open.say("NOOP"); err != nil || a.code != 250 {
		t.Errorf("the open session: %s, %v", a, err)
	}
	write(t, p.dir+"/cert.pem", []byte("rubbish"))
	now := serial(t, p)
	p.signal(syscall.SIGHUP)
	waits(t, time.Minute, "the log says so", func() bool { return strings.Contains(read(t, p.log), "certificate could not be reloaded") })
	if serial(t, p) != now {
		t.Error("after a bad certificate the former is not served any more")
	}
}

// serial is the serial number of the certificate that a new session gets.
func serial(t *testing.T, p *program) string {
	t.Helper()
	c, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	return c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestAConfigurationThatDoesNotHoldLeavesTheFormerInForce(t *testing.T) {
	mta := newSink(t)
	p := install(t, settings{judge: false, dns: mta.dns})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	good := read(t, p.conf)
	p.edit(t, "judge:", "jugde:")
	p.signal(syscall.SIGHUP)
	waits(t, time.Minute, "the log says so", func() bool { return strings.Contains(read(t, p.log), "configuration could not be reloaded") })
	id := p.hand(t, "still")
	write(t, p.conf, []byte(good)) // the command line reads it too
	p.ends(id, "delivered")

	write(t, p.conf, []byte(strings.Replace(good, "127.0.0.0/8", "192.0.2.0/24", 1)))
	p.signal(syscall.SIGHUP)
	waits(t, time.Minute, "the log says so", func() bool { return strings.Contains(read(t, p.log), `"reloaded`) })
	if row := p.ends(p.hand(t, "elsewhere"), "held"); !strings.Contains(row.Reasons[0], "not an address of Exchange Online") {
		t.Errorf("reasons: %q", row.Reasons)
	}
	p.alarmed(t, "key-from-elsewhere")
}

// TestASIGHUPRightAfterTheStartDoesNoHarm sends the signal as soon as the port is
// open.
func TestASIGHUPRightAfterTheStartDoesNoHarm(t *testing.T) {
	p := install(t, settings{judge: false})
	for range 20 {
		p.launch()
		waits(t, time.Minute, "the port is open", func() bool {
			conn, err := net.Dial("tcp", p.smtp)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		p.signal(syscall.SIGHUP)
		p.awaitGreeting(time.Minute)
		p.stop()
	}
}

func TestSIGTERMDrains(t *testing.T) {
	mta := newSink(t)
	taken := mta.collect()
	p := install(t, settings{judge: true, dns: mta.dns})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	idle, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.close()
	busy, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.close()
	for _, line := range []string{"MAIL FROM:<alice@outside.test>", "RCPT TO:<ann@contoso.test>", "DATA"} {
		if a, err := busy.say("%s", line); err != nil || a.code/100 > 3 {
			t.Fatalf("%s: %s, %v", line, a, err)
		}
	}
	fmt.Fprintf(busy.conn, "x-trustifi-creds: %s\r\nMessage-ID: <busy@outside.test>\r\n\r\nhalf ", p.key)
	p.signal(syscall.SIGTERM)
	if a, err := idle.answer(); err != nil || a.code != 421 {
		t.Errorf("the idle session: %s, %v", a, err)
	}
	waits(t, time.Minute, "new sessions are refused", func() bool {
		conn, err := net.Dial("tcp", p.smtp)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	fmt.Fprint(busy.conn, "and half\r\n.\r\n")
	if a, err := busy.answer(); err != nil || a.code != 250 {
		t.Errorf("the message on its way: %s, %v", a, err)
	}
	p.stop()
	if n := len(taken()); n > 1 {
		t.Errorf("%d messages arrived", n)
	}
	p.start() // what was not sent before the end is sent now
	p.ends("busy@outside.test", "delivered")
	if got := taken(); len(got) != 1 || string(body(got[0].raw)) != "half and half\r\n" {
		t.Errorf("arrived: %v", got)
	}
}

func TestHealthReadinessAndFigures(t *testing.T) {
	mta := newSink(t)
	p := install(t, settings{judge: true, dns: mta.dns})
	p.tenant("Contoso", "contoso.test", mta.addr)
	p.start()
	for _, path := range []string{"/health", "/ready"} {
		waits(t, time.Minute, path+" is ok", func() bool { code, text := p.web(path); return code == 200 && text == "ok\n" })
	}
	began := time.Now()
	id := p.hand(t, "figures")
	waits(t, time.Minute, "the trace has the message", func() bool { return len(p.trace(id)) == 1 })
	t.Logf("in the trace after %s", time.Since(began).Round(time.Millisecond))
	p.ends(id, "delivered")
	waits(t, time.Minute, "the figures tell of the message", func() bool {
		_, text := p.web("/metrics")
		return strings.Contains(text, `postern_accepted_total{tenant="contoso"} 1`) && strings.Contains(text, `postern_verdicts_total{action="deliver",tenant="contoso",verdict="clean"} 1`)
	})
	var report struct {
		OK     bool `json:"ok"`
		Checks []struct {
			What, Text string
			OK         bool
		} `json:"checks"`
	}
	p.do(&report, "check")
	if !report.OK || len(report.Checks) < 6 {
		t.Errorf("check beside the running relay: %+v", report)
	}
	p.signal(syscall.SIGTERM)
	<-p.ended
	p.serving = nil
	if o := p.run("check"); o.code != 0 {
		t.Errorf("check without a running relay: exit %d: %s", o.code, o.stdout)
	}
	// An MTA that is gone is a fault that check finds.
	p.do(nil, "domain", "add", "contoso.test", "--tenant", "contoso", "--mta", freePort(t)+",tls=none")
	if o := p.run("check"); o.code != 1 || !strings.Contains(string(o.stdout), "FAIL  mta") {
		t.Errorf("check with a dead MTA: exit %d: %s", o.code, o.stdout)
	}
}

func TestAKeysLifeAndADomainsSwitch(t *testing.T) {
	mta := newSink(t)
	p := install(t, settings{judge: false, dns: mta.dns})
	p.start() // everything below is changed beside the running relay
	p.tenant("Contoso", "contoso.test", mta.addr)
	old := p.key
	p.takes(t, old, 250)

	var rotated struct{ Key string }
	p.do(&rotated, "key", "rotate", "--tenant", "contoso")
	p.takes(t, rotated.Key, 250)
	p.takes(t, old, 250) // two are valid at a time
	p.complains(t, 1, []string{"--config", p.conf, "key", "rotate", "--tenant", "contoso"}, "two valid keys", "retire")
	p.key = old
	p.ends(p.hand(t, "old.valid"), "delivered")

	p.do(nil, "key", "retire", "--tenant", "contoso")
	waits(t, time.Minute, "the relay knows that the old key is retired", func() bool {
		id := p.hand(t, fmt.Sprintf("old.%d", time.Now().UnixNano()))
		for {
			if rows := p.trace(id); len(rows) == 1 && (rows[0].State == "held" || rows[0].State == "delivered") {
				return rows[0].State == "held" && strings.Contains(rows[0].Reasons[0], "retired")
			}
		}
	})
	p.alarmed(t, "retired-key")
	p.key = rotated.Key
	p.ends(p.hand(t, "new.valid"), "delivered")

	p.do(nil, "domain", "disable", "contoso.test")
	p.takes(t, p.key, 451)
	p.do(nil, "domain", "enable", "contoso.test")
	p.takes(t, p.key, 250)

	p.do(nil, "domain", "add", "second.test", "--tenant", "contoso", "--mta", mta.addr)
	p.do(nil, "domain", "enable", "second.test")
	waits(t, time.Minute, "mail for the new domain is delivered", func() bool {
		a, id := p.tries(t, p.key, "ann@second.test")
		if a.code != 250 {
			t.Fatalf("answered %s", a)
		}
		for {
			if rows := p.trace(id); len(rows) == 1 && (rows[0].State == "held" || rows[0].State == "delivered") {
				return rows[0].State == "delivered"
			}
		}
	})
}

// takes wants the running relay to answer with code soon after a change.
func (p *program) takes(t *testing.T, key string, code int) {
	t.Helper()
	waits(t, time.Minute, fmt.Sprintf("the relay answers %d", code), func() bool {
		a, _ := p.tries(t, key, "ann@contoso.test")
		return a.code == code
	})
}

func (p *program) tries(t *testing.T, key, to string) (answer, string) {
	t.Helper()
	c, err := dial(p.smtp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	id := fmt.Sprintf("try.%d@outside.test", time.Now().UnixNano())
	a, err := c.send(posting{from: "alice@outside.test", to: []string{to}, raw: fmt.Appendf(nil, "x-trustifi-creds: %s\r\nMessage-ID: <%s>\r\n\r\nHello\r\n", key, id)})
	if err != nil {
		t.Fatal(err)
	}
	return a, id
}

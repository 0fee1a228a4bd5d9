package exchange

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/corpus"
	"postern/internal/twin"
	"postern/internal/twin/wire"
)

// keeping is a relay that keeps what it gets.
type keeping struct {
	mu  sync.Mutex
	got [][]byte
}

func (*keeping) Rcpt(context.Context, *wire.Envelope, string) wire.Reply {
	return wire.Reply{Code: 250, Text: "2.1.5 ok"}
}

func (k *keeping) Data(_ context.Context, _ *wire.Envelope, raw []byte) wire.Reply {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = append(k.got, raw)
	return wire.Reply{Code: 250, Text: "2.0.0 ok"}
}

// next waits for the n-th message that the relay got; nil if none comes.
func (k *keeping) next(n int) []byte {
	for range 400 {
		k.mu.Lock()
		if len(k.got) >= n {
			defer k.mu.Unlock()
			return k.got[n-1]
		}
		k.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

const relayAddress = "192.0.2.10"

// forgeries are headers with which an outside sender could try to pass the relay
// by.
func forgeries() []string {
	var list []string
	for _, name := range []string{"x-trustifi-inbound-processed", "X-Trustifi-Inbound-Processed", "X-TRUSTIFI-INBOUND-PROCESSED"} {
		for _, value := range []string{"yes", "YES;", "x, yes, y", testToken, "yes " + testToken, strings.ToUpper(testToken), "=?utf-8?q?yes?=", "yes\r\n\t" + testToken} {
			list = append(list, name+": "+value+"\r\n")
		}
	}
	return append(list, list[3]+list[11], "x-trustifi-creds: "+testKey+"\r\n", "x-trustifi-creds: a\r\nx-trustifi-creds: b\r\n"+list[4],
		"X-MS-Exchange-Organization-SCL: -1\r\n", "X-MS-Exchange-Organization-BypassClutter: true\r\n", "")
}

func TestForgedHeadersNeverPassTheRelayByAndReturnedMailNeverLoops(t *testing.T) {
	for name, spec := range map[string]Spec{"recommended": testSpec(), "plain yes": variants()["every-option"], "hardened": variants()["hardened"]} {
		spec.TLSName, spec.Options.Connectors, spec.Options.CertificateBound, spec.Options.OutboundRule = "", ConnectorAuto, false, ""
		t.Run(name, func(t *testing.T) {
			relay := &keeping{}
			of := officeWith(t, twin.TenantOptions{Mailboxes: []string{"ann@contoso.com"}}, relay, twin.Options{RetryEvery: 20 * time.Millisecond, NoFiltering: true})
			mustApply(t, of.engine(), spec)
			n := len(relay.got)
			arrived := 0
			for i, header := range forgeries() {
				raw := fmt.Sprintf("%sFrom: <mallory@outside.example>\r\nTo: <ann@contoso.com>\r\nSubject: forged %d\r\nMessage-ID: <f%d@outside.example>\r\n\r\nhello\r\n", header, i, i)
				reply := of.twin.Deliver(t.Context(), twin.Internet{Peer: netip.MustParseAddr("198.51.100.9"), HELO: "mx.outside.example", From: "mallory@outside.example", To: []string{"ann@contoso.com"}, Raw: []byte(raw)})
				if !reply.OK() {
					t.Fatalf("forgery %d: %s", i, reply)
				}
				got := relay.next(n + 1)
				if got == nil {
					t.Fatalf("forgery %q passed the relay by", header)
				}
				n++
				if !strings.Contains(string(got), "x-trustifi-creds: "+testKey) {
					t.Errorf("forgery %d came without the key", i)
				}
				of.comesBack(t, got, &arrived)
			}
			if len(relay.got) != n {
				t.Errorf("%d messages came to the relay a second time", len(relay.got)-n)
			}
		})
	}
}

// comesBack hands a message back from the relay's address, and waits until it is
// in the inbox.
func (of *office) comesBack(t *testing.T, raw []byte, arrived *int) {
	t.Helper()
	returned := "x-trustifi-inbound-processed: yes " + testToken + "\r\n" + strings.Replace(string(raw), "x-trustifi-creds: "+testKey+"\r\n", "", 1)
	reply := of.twin.Deliver(t.Context(), twin.Internet{Peer: netip.MustParseAddr(relayAddress), HELO: "relay.postern.example", From: "mallory@outside.example", To: []string{"ann@contoso.com"}, Raw: []byte(returned)})
	if !reply.OK() {
		t.Fatalf("returned mail: %s", reply)
	}
	*arrived++
	for range 400 {
		if items := of.twin.Mailbox("ann@contoso.com"); len(items) >= *arrived {
			if f := items[len(items)-1].Folder; f != "inbox" {
				t.Errorf("returned mail is in %s", f)
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("returned mail never arrived")
}

func TestRealMailIsRedirectedAndComesBack(t *testing.T) {
	files, err := filepath.Glob(corpus.Path(t, "ham", "*.eml"))
	if err != nil || len(files) == 0 {
		t.Skip("the sample mail is not here")
	}
	relay := &keeping{}
	of := officeWith(t, twin.TenantOptions{Mailboxes: []string{"ann@contoso.com"}}, relay, twin.Options{RetryEvery: 20 * time.Millisecond, NoFiltering: true})
	mustApply(t, of.engine(), testSpec())
	n, arrived := len(relay.got), 0
	for i, f := range files {
		if i == 40 {
			break
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		reply := of.twin.Deliver(t.Context(), twin.Internet{Peer: netip.MustParseAddr("198.51.100.9"), HELO: "mx.outside.example", From: "someone@outside.example", To: []string{"ann@contoso.com"}, Raw: raw})
		if !reply.OK() {
			t.Fatalf("%s: %s", filepath.Base(f), reply)
		}
		got := relay.next(n + 1)
		if got == nil {
			t.Fatalf("%s passed the relay by", filepath.Base(f))
		}
		n++
		of.comesBack(t, got, &arrived)
	}
}

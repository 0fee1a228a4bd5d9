package main

import (
	"net"
	"os"
	"testing"
	"time"

	"postern/internal/mail"
	"postern/internal/store"
	"postern/internal/twin/wire"
)

// A sign-in from somewhere new reaches the mailbox of whose account it is, the way
// that tenant's mail goes.
func TestASignInFromSomewhereNewReachesTheMailbox(t *testing.T) {
	w, c, log := canaryWorld(t)
	x := newExchange(w.opened, nil)
	if _, err := x.AddTenant(t.Context(), "Sink"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &wire.Server{Hostname: "mx.sink.example", Handler: sink{c}}
	go func() { _ = server.Serve(l) }() // ends with the listener
	t.Cleanup(func() { l.Close(); server.Close() })
	if _, err := x.AddDomain(t.Context(), mail.Domain{Name: "sink.example", Tenant: "sink", MTAs: []mail.MTA{{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mail.TLSNone}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.EnableDomain(t.Context(), "sink.example"); err != nil {
		t.Fatal(err)
	}
	if err := w.server.relay.Directory.Load(t.Context()); err != nil { // which it does by itself within a second
		t.Fatal(err)
	}
	w.server.tellSignIn(store.SignIn{Email: "ann@sink.example", At: time.Now(), How: "password", Address: "203.0.113.9", Agent: "Firefox"})
	for end := time.Now().Add(patience); !c.went("mail that goes on", "ann@sink.example"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			octets, _ := os.ReadFile(log.Name())
			t.Fatalf("no mail came:\n%s", octets[max(0, len(octets)-3000):])
		}
	}
}

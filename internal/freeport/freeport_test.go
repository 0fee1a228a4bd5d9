package freeport

import (
	"net"
	"testing"
)

func TestThePortIsFreeAndNoClientsPort(t *testing.T) {
	for range 20 {
		addr, err := Loopback()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // the next is another
		if addr.Port() < first || addr.Port() >= first+many {
			t.Errorf("%s is in the range of clients", addr)
		}
	}
}

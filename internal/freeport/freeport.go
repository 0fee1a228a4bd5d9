// Package freeport finds ports for programs that must be told theirs before they
// listen: the demo's relay, and servers that tests start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
)

// Below the range from which Linux takes the ports of clients
// (net.ipv4.ip_local_port_range, 32768 to 60999), so that no connection of anybody
// gets the port between the choice and its use.
const (
	first = 10_000
	many  = 20_000
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Loopback is an address on 127.0.0.1 that nobody listens on.
func Loopback() (netip.AddrPort, error) {
	for range 1000 {
		addr := netip.AddrPortFrom(loopback, uint16(first+rand.IntN(many)))
		if l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr)); err == nil {
			return addr, l.Close()
		}
	}
	return netip.AddrPort{}, errors.New("no port is free on 127.0.0.1")
}

package guard_test

import (
	"net/netip"
	"strings"
	"testing"

	"postern/internal/guard"
)

func TestTheGuardRefusesWhatNoServerIs(t *testing.T) {
	refused := []string{
		"127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "0.1.2.3", "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0",
		"224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "100::1",
		"64:ff9b::a00:1", "2002:c0a8:101::",
	}
	private := []string{"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.1"}
	public := []string{"192.0.2.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"}
	check := func(g guard.Guard, addr string, literal, want bool) {
		t.Helper()
		err := g.Check(netip.AddrPortFrom(netip.MustParseAddr(addr), 25), literal)
		if (err == nil) != want {
			t.Errorf("%s (literal %v, %+v): %v", addr, literal, g, err)
		}
	}
	for _, a := range refused {
		check(guard.Guard{}, a, false, false)
		check(guard.Guard{Private: true}, a, true, strings.HasPrefix(a, "64:ff9b::a00") || strings.HasPrefix(a, "2002:c0a8"))
	}
	for _, a := range private {
		check(guard.Guard{}, a, false, false)
		check(guard.Guard{}, a, true, true)
		check(guard.Guard{Private: true}, a, false, true)
	}
	for _, a := range public {
		check(guard.Guard{}, a, false, true)
		check(guard.Guard{}, a, true, true)
	}
	for _, a := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		check(guard.Guard{Loopback: true}, a, false, true)
	}
	check(guard.Guard{Loopback: true}, "169.254.169.254", true, false)
}

package ingress

import (
	"net"

	"golang.org/x/sys/unix"
)

// waiting reports whether conn has octets to read at this moment. It reads none
// and does not wait. A connection that is no socket has none.
func waiting(conn net.Conn) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	raw.Control(func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return n > 0
}

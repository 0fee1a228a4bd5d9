package dns

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// hostsFile knows the names that the machine's administrator wrote into a file
// like /etc/hosts. It is read again when it changed.
type hostsFile struct {
	path string

	mu    sync.Mutex
	mod   time.Time
	size  int64
	names map[string][]net.IPAddr
}

const maxHostsFile = 1 << 20 // octets

// lookup returns the addresses of name (lower case, no final dot), nil if the
// file does not name it or cannot be read: then DNS is asked.
func (h *hostsFile) lookup(name string) []net.IPAddr {
	info, err := os.Stat(h.path)
	if err != nil || info.Size() > maxHostsFile {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil || info.ModTime() != h.mod || info.Size() != h.size {
		text, err := os.ReadFile(h.path)
		if err != nil {
			return nil
		}
		h.names, h.mod, h.size = parseHosts(string(text)), info.ModTime(), info.Size()
	}
	return h.names[name]
}

func parseHosts(text string) map[string][]net.IPAddr {
	names := make(map[string][]net.IPAddr)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		ip, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			names[name] = append(names[name], net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()})
		}
	}
	return names
}

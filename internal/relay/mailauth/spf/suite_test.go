package spf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"postern/internal/corpus"
)

// texts is one string or a list of them.
type texts []string

func (x *texts) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*x = texts{n.Value}
		return nil
	}
	for _, c := range n.Content {
		*x = append(*x, c.Value)
	}
	return nil
}

type suite struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, Mailfrom string
		Result               texts
	}
	Zonedata map[string][]yaml.Node
}

// zone is the suite's DNS. A record of type SPF stands for TXT where a name has
// no TXT, as the suite's own readme says.
type zone map[string]map[string][]string

var errNone = &net.DNSError{Err: "no such host", IsNotFound: true}

func newZone(data map[string][]yaml.Node) zone {
	z := zone{}
	for name, nodes := range data {
		set := map[string][]string{}
		for _, n := range nodes {
			if n.Kind == yaml.ScalarNode { // TIMEOUT
				set[n.Value] = append(set[n.Value], "")
				continue
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				var v texts
				_ = v.UnmarshalYAML(n.Content[i+1])
				kind, joined := n.Content[i].Value, strings.Join(v, "")
				if kind == "MX" {
					joined = v[1]
				}
				set[kind] = append(set[kind], joined)
			}
		}
		if set["TXT"] == nil {
			set["TXT"] = set["SPF"]
		} else if slices.Equal(set["TXT"], []string{"NONE"}) {
			delete(set, "TXT")
		}
		z[strings.ToLower(name)] = set
	}
	return z
}

func (z zone) get(name, kind string) ([]string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for range 10 {
		set := z[name]
		if c := set["CNAME"]; c != nil {
			name = strings.ToLower(strings.TrimSuffix(c[0], "."))
			continue
		}
		if v := set[kind]; len(v) > 0 {
			return v, nil
		}
		if set["TIMEOUT"] != nil || set["SERVFAIL"] != nil {
			return nil, &net.DNSError{Err: "timeout", IsTimeout: true, IsTemporary: true}
		}
		return nil, errNone
	}
	return nil, &net.DNSError{Err: "loop", IsTemporary: true}
}

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) { return z.get(name, "TXT") }

func (z zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	hosts, err := z.get(name, "MX")
	var out []*net.MX
	for _, h := range hosts {
		out = append(out, &net.MX{Host: h + "."})
	}
	return out, err
}

func (z zone) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	a, err4 := z.get(name, "A")
	b, err6 := z.get(name, "AAAA")
	var out []net.IPAddr
	for _, text := range append(slices.Clone(a), b...) {
		out = append(out, net.IPAddr{IP: net.ParseIP(text)})
	}
	if out != nil {
		return out, nil
	}
	if errors.Is(err4, errNone) {
		return nil, err6
	}
	return nil, err4
}

func (z zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	ip := netip.MustParseAddr(addr)
	name := ""
	if ip.Is4() {
		for _, b := range ip.AsSlice() {
			name = fmt.Sprintf("%d.%s", b, name)
		}
		name += "in-addr.arpa"
	} else {
		for _, b := range ip.AsSlice() {
			name = fmt.Sprintf("%x.%x.%s", b&15, b>>4, name)
		}
		name += "ip6.arpa"
	}
	return z.get(name, "PTR")
}

func TestSuites(t *testing.T) {
	dir := corpus.Path(t, "spf", "pyspf", "test")
	for _, name := range []string{"rfc7208-tests.yml", "rfc4408-tests.yml"} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			good, all := 0, 0
			for dec := yaml.NewDecoder(f); ; {
				var s suite
				if err := dec.Decode(&s); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				z := newZone(s.Zonedata)
				for id, c := range s.Tests {
					all++
					got := Check(context.Background(), z, netip.MustParseAddr(c.Host), c.Helo, c.Mailfrom)
					if slices.Contains(c.Result, string(got.Result)) {
						good++
						continue
					}
					t.Errorf("%s / %s: %s (%s), want %v", s.Description, id, got.Result, got.Reason, c.Result)
				}
			}
			t.Logf("%s: %d of %d", name, good, all)
		})
	}
}

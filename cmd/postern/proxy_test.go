package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestTheAddressBehindAProxyIsTheBrowsers(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, tt := range []struct {
		name, peer string
		headers    []string
		want       string
	}{
		{"no proxy", "203.0.113.9:7", []string{"198.51.100.1"}, "203.0.113.9:0"},
		{"a proxy", "10.0.0.1:7", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"what the browser wrote itself", "10.0.0.1:7", []string{"127.0.0.1, 192.0.2.1, 198.51.100.1"}, "198.51.100.1:0"},
		{"two proxies", "127.0.0.1:7", []string{"192.0.2.1, 198.51.100.1", "10.0.0.2"}, "198.51.100.1:0"},
		{"nonsense", "10.0.0.1:7", []string{"198.51.100.1, x"}, "10.0.0.1:0"},
		{"nothing", "10.0.0.1:7", nil, "10.0.0.1:0"},
		{"IPv6", "10.0.0.1:7", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = tt.peer
		for _, h := range tt.headers {
			r.Header.Add("X-Forwarded-For", h)
		}
		got := ""
		behind(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

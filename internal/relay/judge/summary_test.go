package judge

import (
	"fmt"
	"slices"
	"testing"

	"postern/internal/mail"
)

func TestTheLedgerKeepsEachHostOfLinksOnce(t *testing.T) {
	links := []mail.Link{{URL: "https://WWW.Shop.example/a"}, {URL: "http://user@www.shop.example:8080/b"}, {URL: "mailto:ann@example.com"}, {URL: "#top"}, {URL: "http://0x7f000001/"}}
	if got, want := hosts(links), []string{"www.shop.example", "127.0.0.1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	links = nil
	for i := range 200 {
		links = append(links, mail.Link{URL: fmt.Sprintf("https://h%d.example/", i)})
	}
	if got := hosts(links); len(got) != mail.MaxHosts {
		t.Errorf("%d hosts are kept", len(got))
	}
	j := &mail.Judgement{Links: make([]string, 3000)}
	if bound(j); len(j.Links) != mail.MaxHosts {
		t.Errorf("a child may hand in %d hosts", len(j.Links))
	}
}

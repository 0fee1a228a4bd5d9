package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func manyDomains(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("a-rather-long-name-of-a-domain-%03d.example", i))
	}
	return list
}

func wanted(t *testing.T, spec Spec) map[string]Object {
	t.Helper()
	list, err := Want(spec)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Object{}
	for _, o := range list {
		m[o.ID] = o
	}
	return m
}

func TestEveryListComesFromOneSource(t *testing.T) {
	spec := testSpec()
	spec.Addresses = []string{"198.51.100.99", "198.51.100.128/26"}
	spec.Domains = []string{"Example.ORG.", "bücher.example"}
	m := wanted(t, spec)
	for _, list := range []any{m["inbound-connector"].Props["SenderIPAddresses"], m["connection-filter"].Adds["IPAllowList"], m["rule-redirect"].Props["ExceptIfSenderIpRanges"],
		m["rule-clutter"].Props["SenderIpRanges"], m["rule-strip-processed"].Props["ExceptIfSenderIpRanges"], m["rule-strip-key"].Props["ExceptIfSenderIpRanges"]} {
		if !slices.Equal(list.([]string), spec.Addresses) {
			t.Errorf("a list of addresses is %v", list)
		}
	}
	if got := m["rule-redirect"].Props["RecipientDomainIs"].([]string); !slices.Equal(got, []string{"example.org", "xn--bcher-kva.example"}) {
		t.Errorf("domains are %v", got)
	}
}

func TestNoOptionEverLocksOtherSendersOut(t *testing.T) {
	for name, spec := range variants() {
		for _, o := range wanted(t, spec) {
			for _, p := range []Values{o.Props, o.Defaults, o.Create} {
				if p["RestrictDomainsToIPAddresses"] == true || p["RestrictDomainsToCertificate"] == true {
					t.Errorf("%s: %s restricts", name, o.ID)
				}
			}
		}
	}
}

func TestManyDomainsAreSplitOverRulesOfSafeSize(t *testing.T) {
	spec := testSpec()
	spec.Domains = manyDomains(1000)
	var all []string
	for id, o := range wanted(t, spec) {
		if !strings.HasPrefix(id, "rule-redirect") {
			continue
		}
		list := o.Props["RecipientDomainIs"].([]string)
		all = append(all, list...)
		size := 0
		for _, d := range list {
			size += len(d) + domainFrame
		}
		if 2*size > maxRuleBytes {
			t.Errorf("%s: old and new domains together would have %d octets", id, 2*size)
		}
	}
	slices.Sort(all)
	if !slices.Equal(all, spec.Domains) {
		t.Errorf("%d of %d domains are in rules", len(all), len(spec.Domains))
	}
}

func TestOptionsChangeWhatTheySay(t *testing.T) {
	rec, full, hard := wanted(t, variants()["recommended"]), wanted(t, variants()["every-option"]), wanted(t, variants()["hardened"])
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"outside senders only", rec["rule-redirect"].Props["FromScope"], "NotInOrganization"},
		{"internal mail too", full["rule-redirect"].Props["FromScope"], nil},
		{"token in the exception", rec["rule-redirect"].Props["ExceptIfHeaderContainsWords"], []string{testToken}},
		{"plain yes in the exception", full["rule-redirect"].Props["ExceptIfHeaderContainsWords"], []string{"yes"}},
		{"no header exception", hard["rule-redirect"].Props["ExceptIfHeaderContainsWords"], nil},
		{"certificate name", full["inbound-connector"].Props["TlsSenderCertificateName"], "*.postern.example"},
		{"your organization", full["inbound-connector"].Props["ConnectorType"], "OnPremises"},
		{"partner", rec["inbound-connector"].Props["ConnectorType"], "Partner"},
		{"arc sealer", full["arc-trust"].Adds["ArcTrustedSealers"], []string{"postern.example"}},
		{"safe list", rec["connection-filter"].Props["EnableSafeList"], true},
		{"safe list left alone", hard["connection-filter"].Props["EnableSafeList"], nil},
		{"reverse name instead of networks", full["spoof-internal-out.postern.example"].Create["SendingInfrastructure"], "out.postern.example"},
		{"smart host's own name", rec["outbound-connector"].Props["TlsDomain"], "relay.postern.example"},
		{"bypass clutter", rec["rule-clutter"].Props["SetHeaderName"], "X-MS-Exchange-Organization-BypassClutter"},
	} {
		if !same("", tt.want, tt.got) && fmt.Sprint(tt.got) != fmt.Sprint(tt.want) || (tt.want == nil) != (tt.got == nil) {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestAddressesThatExchangeDoesNotTakeAreRefused(t *testing.T) {
	for _, bad := range [][]string{nil, {"2001:db8::1"}, {"192.0.2.0/23"}, {"192.0.2.300"}, {"relay.example"}} {
		spec := testSpec()
		spec.Addresses = bad
		if _, err := Want(spec); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

package adminapi

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// A Cloud is one of Microsoft's separate installations of Exchange Online, or a
// simulated one.
type Cloud struct {
	Name     string   // "worldwide", "gcc-high", "dod", "china", or "custom"
	Exchange string   // base address of the admin API, without a final slash
	Login    string   // base address of the sign-in service
	Resource string   // application id of Exchange Online in this cloud's directory
	Manage   string   // id of the application permission Exchange.ManageAsApp
	Suffixes []string // domains that the front door may redirect to and still get our token
}

// Application and permission ids of Office 365 Exchange Online (wire.json).
const (
	resourceID  = "00000002-0000-0ff1-ce00-000000000000"
	manageAsApp = "dc50a0fb-09a3-484d-be87-e023b12c6440"
	govResource = "00000007-0000-0ff1-ce00-000000000000"
	govManage   = "455e5cd2-84e8-4751-8344-5672145dfa17"
)

// CloudFor is the cloud that name stands for: "worldwide" (also ""), "gcc" (the
// same), "gcc-high", "dod", "china", or the base address of a simulated tenant,
// "http://127.0.0.1:8080", that serves login and admin API alike.
func CloudFor(name string) (Cloud, error) {
	switch name {
	case "", "worldwide", "gcc":
		return Cloud{"worldwide", "https://outlook.office365.com", "https://login.microsoftonline.com", resourceID, manageAsApp,
			[]string{"outlook.office365.com", "outlook.office.com"}}, nil
	case "gcc-high":
		return Cloud{"gcc-high", "https://outlook.office365.us", "https://login.microsoftonline.us", govResource, govManage, []string{"outlook.office365.us"}}, nil
	case "dod":
		return Cloud{"dod", "https://outlook-dod.office365.us", "https://login.microsoftonline.us", govResource, govManage, []string{"outlook-dod.office365.us"}}, nil
	case "china":
		return Cloud{"china", "https://partner.outlook.cn", "https://login.partner.microsoftonline.cn", resourceID, manageAsApp, []string{"partner.outlook.cn"}}, nil
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return Cloud{}, fmt.Errorf("cloud %q is not worldwide, gcc-high, dod, china or a base address like http://host:port", name)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return Cloud{}, fmt.Errorf("cloud %q would carry tokens unencrypted over the network; http is for loopback addresses only", name)
	}
	base := strings.TrimRight(name, "/")
	return Cloud{"custom", base, base, resourceID, manageAsApp, []string{u.Hostname()}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// Owns reports whether u belongs to this cloud, so that a bearer token may be
// sent there: the same scheme, and one of the cloud's own names or a name below.
func (c Cloud) Owns(u *url.URL) bool {
	base, err := url.Parse(c.Exchange)
	if err != nil || u.Scheme != base.Scheme || u.User != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if u.Port() != base.Port() && c.Name != "custom" {
		return false
	}
	for _, s := range c.Suffixes {
		if host == s || (strings.HasSuffix(host, "."+s) && !loopback(s)) {
			return true
		}
	}
	return false
}

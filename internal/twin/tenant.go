package twin

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"postern/internal/twin/login"
)

// TenantOptions describe a tenant as it is before anybody set anything up.
type TenantOptions struct {
	ID           string   // directory (tenant) id, a GUID; random if empty
	Organization string   // initial domain; "contoso.onmicrosoft.com" if empty
	Domains      []string // verified domains besides the initial one
	Mailboxes    []string // addresses; all must be in one of the domains
	Dehydrated   bool     // no hygiene policy can be changed before Enable-OrganizationCustomization
	NoDefender   bool     // without Defender for Office 365 plan 1: no Safe Links, Safe Attachments, impersonation
	Presets      bool     // the preset security policies were turned on once, and are on
	Old          bool     // made before 2023: OnPremises inbound connectors can be enabled
	Developer    bool     // Microsoft 365 E5 developer subscription: no inbound connectors
}

// A Tenant is one organization: its configuration, its mailboxes, its quarantine.
type Tenant struct {
	ID           string
	Organization string // initial domain, "contoso.onmicrosoft.com"
	Options      TenantOptions
	Directory    *login.Directory // its applications and users
	ClientID     string           // application registered in the tenant, with admin consent and the role Exchange Administrator
	ClientSecret string

	twin    *Twin
	mu      sync.Mutex // guards what follows
	shelves map[string]*shelf
	items   map[string][]Item // by lower-case address
	held    []Held
	ndrs    []NDR
	sent    []Sent
	trace   []Event
	plan    []Fault
	calls   int // InvokeCommand calls since Plan
	inside  int // InvokeCommand calls under way
	pages   map[string]pager
}

func newTenant(tw *Twin, o TenantOptions) (*Tenant, error) {
	if o.Organization == "" {
		o.Organization = "contoso.onmicrosoft.com"
	}
	if o.ID == "" {
		o.ID = newGUID()
	}
	t := &Tenant{ID: strings.ToLower(o.ID), Organization: o.Organization, Options: o, twin: tw,
		ClientID: newGUID(), ClientSecret: strings.ReplaceAll(newGUID(), "-", "~"),
		shelves: map[string]*shelf{}, items: map[string][]Item{}, pages: map[string]pager{}}
	t.furnish()
	for _, d := range o.Domains {
		t.addDomain(d, false)
	}
	for _, m := range o.Mailboxes {
		_, domain, _ := strings.Cut(m, "@")
		if t.find("AcceptedDomain", domain) == nil {
			return nil, fmt.Errorf("mailbox %s: %s is no domain of %s", m, domain, o.Organization)
		}
		t.addMailbox(m)
	}
	for _, s := range t.shelves {
		s.settle()
	}
	t.enroll()
	return t, nil
}

// enroll fills the directory: the application that Card names, a global
// administrator, and the domains by which the tenant may be called.
func (t *Tenant) enroll() {
	t.Directory = &login.Directory{TenantID: t.ID}
	for _, d := range t.objects("AcceptedDomain") {
		t.Directory.Domains = append(t.Directory.Domains, d.String("DomainName"))
	}
	t.Directory.PutApp(login.App{ClientID: t.ClientID, Secrets: []login.Secret{{Value: t.ClientSecret}}, Redirects: []string{"http://localhost"}, Public: true,
		AppRole: true, Consented: true, Roles: []string{RoleExchangeAdministrator}})
	t.Directory.PutUser(login.User{UPN: "admin@" + t.Organization, Roles: []string{RoleGlobalAdministrator}})
}

// furnish gives the tenant the objects every new one has.
func (t *Tenant) furnish() {
	t.addDomain(t.Organization, true)
	for _, noun := range []string{"HostedConnectionFilterPolicy", "HostedContentFilterPolicy", "MalwareFilterPolicy", "HostedOutboundSpamFilterPolicy"} {
		t.add(noun, "Default", Object{"IsDefault": true})
	}
	t.add("AntiPhishPolicy", "Office365 AntiPhish Default", Object{"IsDefault": true})
	t.add("RemoteDomain", "Default", Object{"DomainName": "*"})
	t.add("TransportConfig", "Transport Settings", nil)
	t.add("OrganizationConfig", t.Organization, Object{"DisplayName": strings.TrimSuffix(t.Organization, ".onmicrosoft.com"), "IsDehydrated": t.Options.Dehydrated})
	t.add("ArcConfig", "Default", nil)
	t.add("ExternalInOutlook", t.Organization, nil)
	for _, name := range []string{"AdminOnlyAccessPolicy", "DefaultFullAccessPolicy", "DefaultFullAccessWithNotificationPolicy", "NotificationEnabledPolicy"} {
		t.add("QuarantinePolicy", name, nil)
	}
	if !t.Options.NoDefender {
		t.add("AtpPolicyForO365", "Default", nil)
		t.add("SafeLinksPolicy", "Built-In Protection Policy", Object{"IsBuiltInProtection": true, "EnableSafeLinksForEmail": true, "ScanUrls": true})
		t.add("SafeAttachmentPolicy", "Built-In Protection Policy", Object{"IsBuiltInProtection": true, "Enable": true})
		t.add("ATPBuiltInProtectionRule", "ATP Built-In Protection Rule", Object{"SafeLinksPolicy": "Built-In Protection Policy", "SafeAttachmentPolicy": "Built-In Protection Policy"})
	}
	if t.Options.Presets {
		t.addPresets()
	}
}

// addPresets does what turning on the preset security policies in the portal does:
// it makes policies with a number in their names and the rules that apply them.
func (t *Tenant) addPresets() {
	for i, name := range []string{"Strict", "Standard"} {
		policy := name + " Preset Security Policy1681329956650"
		preset := Object{"RecommendedPolicyType": name}
		t.add("HostedContentFilterPolicy", policy, Object{"RecommendedPolicyType": name, "SpamAction": "Quarantine", "HighConfidenceSpamAction": "Quarantine"})
		t.add("AntiPhishPolicy", policy, preset)
		t.add("MalwareFilterPolicy", policy, preset)
		t.add("EOPProtectionPolicyRule", name+" Preset Security Policy", Object{"Priority": i,
			"HostedContentFilterPolicy": policy, "AntiPhishPolicy": policy, "MalwareFilterPolicy": policy})
		if t.Options.NoDefender {
			continue
		}
		t.add("SafeLinksPolicy", policy, preset)
		t.add("SafeAttachmentPolicy", policy, preset)
		t.add("ATPProtectionPolicyRule", name+" Preset Security Policy", Object{"Priority": i, "SafeLinksPolicy": policy, "SafeAttachmentPolicy": policy})
	}
}

func (t *Tenant) addDomain(name string, initial bool) {
	t.add("AcceptedDomain", name, Object{"DomainName": name, "InitialDomain": initial, "Default": initial})
	t.add("DkimSigningConfig", name, Object{"Domain": name, "IsDefault": initial, "Enabled": initial})
}

func (t *Tenant) addMailbox(addr string) {
	local, _, _ := strings.Cut(addr, "@")
	t.add("Mailbox", local, Object{"Alias": local, "DisplayName": local, "PrimarySmtpAddress": addr, "UserPrincipalName": addr,
		"EmailAddresses": []string{"SMTP:" + addr}})
}

// add puts a new object with the noun's defaults, those of set, and what the
// directory itself says of an object.
func (t *Tenant) add(noun, name string, set Object) Object {
	o := t.fresh(noun, name)
	for k, v := range set {
		o[k] = v
	}
	t.put(noun, append(t.objects(noun)[:len(t.objects(noun)):len(t.objects(noun))], o))
	return o
}

func (t *Tenant) fresh(noun, name string) Object {
	o := t.twin.templates[noun].clone()
	if o == nil {
		o = Object{}
	}
	id, now := newGUID(), stamp(t.twin.now())
	o["Guid"], o["ExchangeObjectId"] = id, id
	o["Name"], o["Identity"], o["Id"] = name, name, name
	o["DistinguishedName"] = fmt.Sprintf("CN=%s,CN=Transport Settings,CN=Configuration,CN=%s,CN=ConfigurationUnits,DC=EURPR01A001,DC=PROD,DC=OUTLOOK,DC=COM", name, t.Organization)
	o["OrganizationId"] = fmt.Sprintf("EURPR01A001.PROD.OUTLOOK.COM/Microsoft Exchange Hosted Organizations/%s - EURPR01A001.PROD.OUTLOOK.COM/ConfigurationUnits/%s/Configuration", t.Organization, t.Organization)
	o["WhenChanged"], o["WhenCreated"], o["WhenChangedUTC"], o["WhenCreatedUTC"] = now, now, now, now
	o["IsValid"], o["ObjectState"] = true, "Unchanged"
	if strings.HasSuffix(noun, "Rule") {
		o["ImmutableId"] = id
		delete(o, "ExchangeObjectId")
		delete(o, "Id")
	} else {
		o["OriginatingServer"] = server
		o["OrganizationalUnitRoot"] = t.Organization
	}
	return o
}

// server is the directory server that errors and objects name.
const server string = "DB8PR01A01DC001.EURPR01A001.PROD.OUTLOOK.COM"

// stamp writes a time as the admin API does.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.0000000+00:00") }

func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

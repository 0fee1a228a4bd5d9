package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"postern/internal/exchange/adminapi"
)

// fakeTenant is a small Exchange for the engine's own tests: objects by kind and
// name, with the order of rules, shared lists and the refusals that matter here.
type fakeTenant struct {
	mu        sync.Mutex
	single    map[string]map[string]any
	objects   map[string][]map[string]any // "InboundConnector" ...; rules in priority order
	next      int
	calls     []string
	reject    func(cmdlet string, p map[string]any) error // asked before the cmdlet runs
	checkTree []map[string]any                            // answer of Validate-OutboundConnector
}

func newFake(domains ...string) *fakeTenant {
	f := &fakeTenant{
		single: map[string]map[string]any{
			"OrganizationConfig":           {"Name": "contoso.onmicrosoft.com", "IsDehydrated": false, "RejectDirectSend": false},
			"RemoteDomain":                 {"Name": "Default", "TNEFEnabled": nil, "CharacterSet": "iso-8859-1", "NonMimeCharacterSet": "iso-8859-1", "AllowedOOFType": "External"},
			"HostedConnectionFilterPolicy": {"Name": "Default", "EnableSafeList": false, "IPAllowList": []any{"198.51.100.7"}, "IPBlockList": []any{}},
			"ArcConfig":                    {"Name": "Default", "ArcTrustedSealers": []any{}},
		},
		objects: map[string][]map[string]any{},
		checkTree: []map[string]any{
			{"TaskName": "Check connectivity", "IsTaskSuccessful": true, "TaskDetail": "ok", "SubTaskResults": []any{}},
			{"TaskName": "Send test email", "IsTaskSuccessful": false, "TaskDetail": "no rule", "SubTaskResults": []any{}},
		},
	}
	for _, d := range domains {
		f.objects["AcceptedDomain"] = append(f.objects["AcceptedDomain"], map[string]any{"Name": d, "DomainName": d, "DomainType": "Authoritative"})
	}
	return f
}

func (f *fakeTenant) Invoke(_ context.Context, cmdlet string, params map[string]any) ([]map[string]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := roundTrip(params)
	f.calls = append(f.calls, cmdlet)
	if f.reject != nil {
		if err := f.reject(cmdlet, p); err != nil {
			return nil, err
		}
	}
	verb, noun, _ := strings.Cut(cmdlet, "-")
	if cmdlet == "Enable-OrganizationCustomization" {
		f.single["OrganizationConfig"]["IsDehydrated"] = false
		return nil, nil
	}
	if one, ok := f.single[noun]; ok {
		return f.onSingle(verb, one, p)
	}
	switch verb {
	case "Get":
		return f.get(noun, p)
	case "New":
		return f.create(noun, p)
	case "Validate":
		return roundTripList(f.checkTree), nil
	}
	return f.change(verb, noun, p)
}

func roundTrip(p map[string]any) map[string]any {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func roundTripList(list []map[string]any) []map[string]any {
	out := make([]map[string]any, len(list))
	for i, o := range list {
		out[i] = roundTrip(o)
	}
	return out
}

func fakeError(status int, typ, format string, args ...any) error {
	return &adminapi.Error{Cmdlet: "?", Status: status, Type: typ, Text: fmt.Sprintf(format, args...)}
}

func (f *fakeTenant) onSingle(verb string, one, p map[string]any) ([]map[string]any, error) {
	if verb == "Set" {
		assign(one, p)
		return nil, nil
	}
	return []map[string]any{roundTrip(one)}, nil
}

func assign(o, p map[string]any) {
	for k, v := range p {
		if k == "Identity" || k == "Ids" || k == "Confirm" {
			continue
		}
		if t, ok := v.(map[string]any); ok {
			v = toAny(union(without(listOf(o[k]), listOf(t["Remove"])), listOf(t["Add"])))
		}
		o[k] = v
	}
}

func toAny(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func (f *fakeTenant) find(noun string, p map[string]any) int {
	return slices.IndexFunc(f.objects[noun], func(o map[string]any) bool {
		if noun == "TenantAllowBlockListSpoofItems" {
			return slices.Contains(listOf(p["Ids"]), text(o["Identity"]))
		}
		return strings.EqualFold(text(o["Name"]), text(p["Identity"]))
	})
}

func (f *fakeTenant) get(noun string, p map[string]any) ([]map[string]any, error) {
	if id := text(p["Identity"]); id != "" {
		i := f.find(noun, p)
		if i < 0 {
			return nil, fakeError(404, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "The operation couldn't be performed because object '%s' couldn't be found on 'x'.", id)
		}
		return roundTripList(f.view(noun)[i : i+1]), nil
	}
	return roundTripList(f.view(noun)), nil
}

func (f *fakeTenant) view(noun string) []map[string]any {
	for i, o := range f.objects[noun] {
		if noun == "TransportRule" {
			o["Priority"] = i
		}
	}
	return f.objects[noun]
}

func (f *fakeTenant) create(noun string, p map[string]any) ([]map[string]any, error) {
	o := map[string]any{}
	f.next++
	o["Guid"] = fmt.Sprintf("00000000-0000-4000-8000-%012d", f.next)
	if noun == "TenantAllowBlockListSpoofItems" {
		for _, have := range f.objects[noun] {
			if have["SendingInfrastructure"] == p["SendingInfrastructure"] && have["SpoofType"] == p["SpoofType"] && have["SpoofedUser"] == p["SpoofedUser"] {
				return nil, fakeError(400, "DuplicateException", "The pair already exists.")
			}
		}
		o["Identity"] = o["Guid"]
		delete(p, "Identity")
	} else if f.find(noun, map[string]any{"Identity": p["Name"]}) >= 0 {
		return nil, fakeError(400, "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException", "The object 'CN=%s' already exists.", p["Name"])
	}
	at := len(f.objects[noun])
	if noun == "TransportRule" {
		if c := text(p["RouteMessageOutboundConnector"]); c != "" && f.find("OutboundConnector", map[string]any{"Identity": c}) < 0 {
			return nil, fakeError(400, "x", "The connector '%s' wasn't found.", c)
		}
		o["State"] = "Enabled"
		if p["Enabled"] == false {
			o["State"] = "Disabled"
		}
		if prio, ok := p["Priority"]; ok {
			at = intOf(prio)
		}
		delete(p, "Enabled")
	}
	if noun == "InboundConnector" {
		o["TreatMessagesAsInternal"], o["EFSkipLastIP"], o["AssociatedAcceptedDomains"] = false, false, []any{}
	}
	if noun == "OutboundConnector" {
		o["RouteAllMessagesViaOnPremises"], o["AllAcceptedDomains"], o["RecipientDomains"], o["TestMode"], o["IsValidated"] = false, false, []any{}, false, false
	}
	assign(o, p)
	f.objects[noun] = slices.Insert(f.objects[noun], at, o)
	return []map[string]any{roundTrip(o)}, nil
}

func (f *fakeTenant) change(verb, noun string, p map[string]any) ([]map[string]any, error) {
	i := f.find(noun, p)
	if i < 0 {
		return nil, fakeError(404, "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "couldn't be found on 'x'")
	}
	o := f.objects[noun][i]
	switch verb {
	case "Enable":
		o["State"] = "Enabled"
	case "Disable":
		o["State"] = "Disabled"
	case "Remove":
		for _, r := range f.objects["TransportRule"] {
			if noun == "OutboundConnector" && r["RouteMessageOutboundConnector"] == o["Name"] {
				return nil, fakeError(400, "x", "The connector '%s' is used by a transport rule.", o["Name"])
			}
		}
		f.objects[noun] = slices.Delete(f.objects[noun], i, i+1)
	case "Set":
		prio, move := p["Priority"]
		delete(p, "Priority")
		assign(o, p)
		if move {
			f.objects[noun] = slices.Insert(slices.Delete(f.objects[noun], i, i+1), intOf(prio), o)
		}
	}
	return nil, nil
}

// snapshot is the whole tenant as JSON, to compare states field by field. A
// property that was never set and one that is null are the same.
func (f *fakeTenant) snapshot() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]any{}
	for k, o := range f.single {
		all[k] = stripped(o)
	}
	for k := range f.objects {
		var list []any
		for _, o := range f.view(k) {
			list = append(list, stripped(o))
		}
		if list != nil {
			all[k] = list
		}
	}
	b, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		panic(err)
	}
	return string(b)
}

func stripped(o map[string]any) map[string]any {
	o = maps.Clone(roundTrip(o))
	for k, v := range o {
		if unset(v) || k == "Priority" {
			delete(o, k)
		}
		if list, ok := v.([]any); ok && len(list) > 0 {
			o[k] = folded(listOf(list))
		}
	}
	return o
}

// memJournal keeps the octets in memory.
type memJournal struct {
	mu sync.Mutex
	b  []byte
}

func (j *memJournal) Load(context.Context) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.b), nil
}

func (j *memJournal) Save(_ context.Context, b []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.b = slices.Clone(b)
	return nil
}

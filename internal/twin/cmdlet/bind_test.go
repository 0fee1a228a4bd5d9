package cmdlet

import (
	"errors"
	"reflect"
	"testing"
)

func TestBind(t *testing.T) {
	table, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, cmdlet string
		in           map[string]any
		want         Args
		typ          string // of the error
	}{
		{"names in any case, enumerations spelt right", "set-remotedomain", map[string]any{"identity": "Default", "allowedooftype": "externallegacy"}, Args{"Identity": "Default", "AllowedOOFType": "ExternalLegacy"}, ""},
		{"null where it is allowed", "Set-RemoteDomain", map[string]any{"Identity": "Default", "TNEFEnabled": nil}, Args{"Identity": "Default", "TNEFEnabled": nil}, ""},
		{"null where it is not", "Set-RemoteDomain", map[string]any{"Identity": "Default", "AutoReplyEnabled": nil}, nil, TransformType},
		{"null removes a rule's condition", "Set-TransportRule", map[string]any{"Identity": "r", "SetSCL": nil, "StopRuleProcessing": nil}, Args{"Identity": "r", "SetSCL": nil, "StopRuleProcessing": nil}, ""},
		{"one value makes a list", "New-InboundConnector", map[string]any{"Name": "x", "SenderDomains": "*"}, Args{"Name": "x", "SenderDomains": []string{"*"}}, ""},
		{"numbers as text and as JSON", "Set-TransportRule", map[string]any{"Identity": "r", "SetSCL": float64(-1), "Priority": "3"}, Args{"Identity": "r", "SetSCL": "-1", "Priority": 3}, ""},
		{"an SCL outside", "Set-TransportRule", map[string]any{"Identity": "r", "SetSCL": 10}, nil, TransformType},
		{"add and remove", "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": map[string]any{"@odata.type": "#Exchange.GenericHashTable", "Add": []any{"1.2.3.4"}}}, Args{"Identity": "Default", "IPAllowList": Delta{Add: []string{"1.2.3.4"}}}, ""},
		{"an empty table", "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": map[string]any{"@odata.type": "#Exchange.GenericHashTable"}}, Args{"Identity": "Default", "IPAllowList": Delta{}}, ""},
		{"a table of another kind", "Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "IPAllowList": map[string]any{"Plus": "1.2.3.4"}}, nil, TransformType},
		{"PowerShell's own parameters", "Get-TransportRule", map[string]any{"ErrorAction": "Stop", "Verbose": true}, Args{}, ""},
		{"no such parameter", "Get-TransportRule", map[string]any{"Bogus": 1}, nil, AmbiguousType},
		{"one missing", "New-TransportRule", map[string]any{"Enabled": true}, nil, MissingType},
		{"no such cmdlet", "Get-Bogus", nil, nil, UnknownType},
		{"not a date", "New-TransportRule", map[string]any{"Name": "x", "ActivationDate": "tomorrow"}, nil, TransformType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := table.Bind(tt.cmdlet, tt.in)
			var e *Error
			if tt.typ != "" {
				if !errors.As(err, &e) || e.Type != tt.typ {
					t.Errorf("got %v, want a %s", err, tt.typ)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%v\ngot  %#v\nwant %#v", err, got, tt.want)
			}
		})
	}
}

package twin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const setUp string = `#Requires -Version 5.1
param([string]$Organization = 'contoso.onmicrosoft.com', [string[]]$Domains = @('contoso.example'), [switch]$Rollback)
$ErrorActionPreference = 'Stop'
$ips = @('192.0.2.10','192.0.2.11')
function Invoke-Step {
    param([string]$Name,[scriptblock]$Body)
    try { & $Body; Write-Host "[ok] $Name" } catch { Write-Error "[fail] ${Name}: $($_.Exception.Message)"; throw }
}
Connect-ExchangeOnline -Organization $Organization -ShowBanner:$false
Invoke-Step 'inbound connector' {
    $params = @{
        Name = 'Relay Inbound Connector (Receive)'
        ConnectorType = 'Partner'
        SenderDomains = '*'
        SenderIPAddresses = $ips
        RequireTls = $true
        Enabled = $true
        Comment = @"
managed by relay
step 5-11
"@
    }
    if (-not (Get-InboundConnector -Identity $params.Name -ErrorAction SilentlyContinue)) { New-InboundConnector @params | Out-Null }
}
New-OutboundConnector -Name 'Relay Inbound Connector (Send)' -ConnectorType Partner -UseMXRecord $false -SmartHosts 'relay.example.org' -TlsSettings DomainValidation -TlsDomain '*.example.org' -IsTransportRuleScoped $true | Out-Null
Set-HostedConnectionFilterPolicy -Identity Default -EnableSafeList $true -IPAllowList @{Add=$ips}
foreach ($ip in $ips) {
    foreach ($t in 'Internal','External') {
        New-TenantAllowBlockListSpoofItems -Identity Default -Action Allow -SpoofedUser '*' -SendingInfrastructure "$ip/24" -SpoofType $t | Out-Null
    }
}
New-TransportRule -Name 'Relay inbound' -RecipientDomainIs $Domains -SentToScope InOrganization ` + "`" + `
  -RouteMessageOutboundConnector 'Relay Inbound Connector (Send)' -SetHeaderName 'X-Relay-Creds' -SetHeaderValue 's3cr3t' ` + "`" + `
  -RouteMessageOutboundRequireTls $true -SetSCL -1 -ExceptIfSenderIpRanges $ips -StopRuleProcessing $true -RuleErrorAction Defer | Out-Null
@{ done = $true; rules = @(Get-TransportRule | ForEach-Object { $_.Name }) } | ConvertTo-Json -Compress
`

func TestAScriptAndTheAPILeaveTheSameState(t *testing.T) {
	byScript := newLab(t, Options{})
	res, err := byScript.tenants[0].RunScript(context.Background(), Admin(), &Script{Source: setUp})
	if err != nil || res.Text != `{"done":true,"rules":["Relay inbound"]}`+"\n" {
		t.Fatal(err, res)
	}
	byAPI := newLab(t, Options{})
	ips := []any{"192.0.2.10", "192.0.2.11"}
	byAPI.do("New-InboundConnector", map[string]any{"Name": "Relay Inbound Connector (Receive)", "ConnectorType": "Partner", "SenderDomains": "*", "SenderIPAddresses": ips, "RequireTls": true, "Enabled": true, "Comment": "managed by relay\nstep 5-11"})
	byAPI.do("New-OutboundConnector", map[string]any{"Name": "Relay Inbound Connector (Send)", "ConnectorType": "Partner", "UseMXRecord": false, "SmartHosts": "relay.example.org", "TlsSettings": "DomainValidation", "TlsDomain": "*.example.org", "IsTransportRuleScoped": true})
	byAPI.do("Set-HostedConnectionFilterPolicy", map[string]any{"Identity": "Default", "EnableSafeList": true, "IPAllowList": map[string]any{"Add": ips}})
	for _, ip := range ips {
		for _, kind := range []string{"Internal", "External"} {
			byAPI.do("New-TenantAllowBlockListSpoofItems", map[string]any{"Identity": "Default", "Action": "Allow", "SpoofedUser": "*", "SendingInfrastructure": ip.(string) + "/24", "SpoofType": kind})
		}
	}
	byAPI.do("New-TransportRule", map[string]any{"Name": "Relay inbound", "RecipientDomainIs": []any{"contoso.example"}, "SentToScope": "InOrganization", "RouteMessageOutboundConnector": "Relay Inbound Connector (Send)",
		"SetHeaderName": "X-Relay-Creds", "SetHeaderValue": "s3cr3t", "RouteMessageOutboundRequireTls": true, "SetSCL": -1, "ExceptIfSenderIpRanges": ips, "StopRuleProcessing": true, "RuleErrorAction": "Defer"})
	if d := Difference(byScript.tenants[0].State(), byAPI.tenants[0].State()); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
	byAPI.do("Set-TransportRule", map[string]any{"Identity": "Relay inbound", "SetSCL": 0})
	if d := Difference(byScript.tenants[0].State(), byAPI.tenants[0].State()); len(d) == 0 {
		t.Error("a difference was not seen")
	}
}

func TestAScriptThatFails(t *testing.T) {
	for _, tt := range []struct{ name, src, text string }{
		{"without a session", "Get-TransportRule", "is not recognized"},
		{"another organization", "$ErrorActionPreference='Stop'\nConnect-ExchangeOnline -Organization other.onmicrosoft.com", "AADSTS90002"},
		{"a wrong parameter", "$ErrorActionPreference='Stop'\nConnect-ExchangeOnline\nNew-TransportRule -Name 'x' -DomainController dc1", "Invalid cmdlet parameters specified. DomainController"},
		{"a bad value", "$ErrorActionPreference='Stop'\nConnect-ExchangeOnline\nNew-InboundConnector -Name x -SenderDomains '*' -ConnectorType Friend", "Partner, OnPremises"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, Options{})
			res, err := l.tenants[0].RunScript(context.Background(), Admin(), &Script{Source: tt.src})
			said := strings.Join(res.Messages, "\n")
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(said, tt.text) {
				t.Error(err, res)
			}
		})
	}
	t.Run("killed at a call", func(t *testing.T) {
		l := newLab(t, Options{})
		l.tenants[0].Plan(Fault{Cmdlet: "New-OutboundConnector", Kind: FaultKill, Done: true})
		if _, err := l.tenants[0].RunScript(context.Background(), Admin(), &Script{Source: setUp}); !errors.Is(err, ErrKilled) {
			t.Error(err)
		}
		if len(l.do("Get-OutboundConnector", nil)) != 1 || len(l.do("Get-TransportRule", nil)) != 0 {
			t.Error("it went on")
		}
	})
}

// The sample in the restricted style, as the offline checker has it, runs too.
func TestTheStyleSampleParses(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "tools", "pwsh-check", "good.ps1"))
	if err != nil {
		t.Skip("the shared sample is not here: ", err)
	}
	l := newLab(t, Options{Tenants: []TenantOptions{{Domains: []string{"contoso.com"}}}})
	l.do("New-OutboundConnector", map[string]any{"Name": "Relay Inbound Connector (Send)", "IsTransportRuleScoped": true, "UseMXRecord": false, "SmartHosts": "relay.example"})
	if _, err := l.tenants[0].RunScript(context.Background(), Admin(), &Script{Source: string(text), Params: map[string]any{"Organization": "contoso.onmicrosoft.com"}}); err != nil && !strings.Contains(err.Error(), "already exists") {
		t.Error(err)
	}
}

package script

import (
	"fmt"
	"net/netip"
	"strings"
)

// find writes the reading of object number n into $have; $null if it is not there.
func (w *writer) find(o Object) {
	switch o.Kind {
	case "RemoteDomain", "HostedConnectionFilterPolicy":
		w.line("$have = Get-%s -Identity %s", o.Kind, w.q(o.Name))
	case "ArcConfig":
		w.line("$arc = Get-ArcConfig | Select-Object -First 1")
		w.line("$have = @{ ArcTrustedSealers = @($arc.ArcTrustedSealers -split ',') }")
	case "TenantAllowBlockListSpoofItems":
		w.line("$have = Get-%s | Where-Object { ($_.SpoofedUser -eq %s) -and (%s -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq %s) } | Select-Object -First 1",
			o.Kind, w.value(o.Create["SpoofedUser"]), w.list(spellings(o.Create["SendingInfrastructure"])), w.value(o.Create["SpoofType"]))
	case "OutboundConnector": // a list leaves out those that are for mail flow rules only
		w.line("$have = Get-OutboundConnector -Identity %s -ErrorAction SilentlyContinue", w.q(o.Name))
	default:
		w.line("$have = Get-%s | Where-Object { $_.Name -eq %s } | Select-Object -First 1", o.Kind, w.q(o.Name))
	}
}

// spellings are the forms in which Exchange may show an infrastructure.
func spellings(v any) []string {
	s, _ := v.(string)
	list := []string{s}
	if p, err := netip.ParsePrefix(s); err == nil && p.Masked().String() != s {
		list = append(list, p.Masked().String())
	}
	return list
}

// apply writes everything that Mode Apply does, in the plan's order.
func (w *writer) apply(s Setup) {
	w.open("foreach ($domain in $domains) {")
	w.line("$accepted = Get-AcceptedDomain | Where-Object { $_.DomainName -eq $domain } | Select-Object -First 1")
	w.line("if ($null -eq $accepted) { throw \"The domain $domain is not an accepted domain of this organization. Add and verify it first.\" }")
	w.shut("}")
	w.line("$organizationConfig = Get-OrganizationConfig")
	w.line("if ($organizationConfig.IsDehydrated) { Enable-OrganizationCustomization }")
	w.line("")
	w.line("# The order of the rules as it was, for the way back")
	w.open("if ($null -eq (Get-Saved $state 'order')) {")
	w.line("$names = @(Get-TransportRule | ForEach-Object { $_.Name })")
	w.line("$state += @{ Id = 'order'; Kind = 'Order'; Name = 'order'; Created = $false; Names = $names; Prior = @{}; Added = @() }")
	w.shut("}")
	for i, o := range s.Objects {
		w.line("")
		w.line("# %d. %s", i+1, comment(o.ID))
		w.line("Send-Step %s", w.q(o.Kind+" "+o.Name))
		w.find(o)
		switch {
		case single(o.Kind):
			w.applySingle(i+1, o)
		case o.Kind == "TransportRule":
			w.applyRule(i+1, o, s)
		default:
			w.applyObject(i+1, o)
		}
		if o.Kind == "OutboundConnector" {
			w.validate(o)
		}
	}
	w.line("")
	w.arrange(s)
	w.retire(s)
	for _, o := range s.Objects {
		if o.Kind == "TransportRule" {
			w.line("$have = Get-TransportRule -Identity %s", w.q(o.Name))
			w.line("if ($have.State -ne 'Enabled') { Enable-TransportRule -Identity %s; $done += %s }", w.q(o.Name), w.q(o.ID+"/enable"))
		}
	}
}

// remember saves what was there before the first change, once.
func (w *writer) remember(o Object, names string) {
	w.open("if ($null -eq (Get-Saved $state %s)) {", w.q(o.ID))
	w.line("$names = @(%s)", names)
	w.line("$prior = Get-Prior $names $have")
	w.line("$state += @{ Id = %s; Kind = %s; Name = %s; Created = $false; Names = $names; Prior = $prior; Added = @() }", w.q(o.ID), w.q(o.Kind), w.q(o.Name))
	w.line("Save-State $state")
	w.shut("}")
}

// creating saves that the object is ours before it is made.
func (w *writer) creating(o Object) {
	w.line("$state = @($state | Where-Object { $_.Id -ne %s })", w.q(o.ID))
	w.line("$state += @{ Id = %s; Kind = %s; Name = %s; Created = $true; Names = @(); Prior = @{}; Added = @() }", w.q(o.ID), w.q(o.Kind), w.q(o.Name))
	w.line("Save-State $state")
}

func (w *writer) applySingle(n int, o Object) {
	w.remember(o, fmt.Sprintf("$want%d.Keys", n))
	for list := range o.Adds {
		w.line("$missing = @(Get-Missing $add%d $have.%s)", n, list)
		w.open("if ($missing.Count -ne 0) {")
		w.line("$saved = Get-Saved $state %s", w.q(o.ID))
		w.line("$state = @($state | Where-Object { $_.Id -ne %s })", w.q(o.ID))
		w.line("$state += @{ Id = %s; Kind = %s; Name = %s; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @($saved.Added) + @(Get-Missing $missing $saved.Added) }", w.q(o.ID), w.q(o.Kind), w.q(o.Name))
		w.line("Save-State $state")
		if o.Kind == "ArcConfig" {
			w.line("$list = @(Get-Entries $have.%s) + $missing", list)
			w.line("Set-ArcConfig -Identity %s -%s $list", w.q(o.Name), list)
		} else {
			w.line("Set-%s -Identity %s -%s @{ Add = $missing }", o.Kind, w.q(o.Name), list)
		}
		w.line("$done += %s", w.q(o.ID+"/add"))
		w.shut("}")
	}
	if len(o.Props) == 0 {
		return
	}
	w.line("$names = @(Get-Difference $want%d $have)", n)
	w.line("if ($names.Count -ne 0) { Set-%s -Identity %s @want%d; $done += %s }", o.Kind, w.q(o.Name), n, w.q(o.ID+"/set"))
}

func (w *writer) applyObject(n int, o Object) {
	w.open("if ($null -eq $have) {")
	w.creating(o)
	w.line("New-%s @new%d | Out-Null", o.Kind, n)
	w.line("$done += %s", w.q(o.ID+"/new"))
	w.mid("} else {")
	w.remember(o, w.names(n, o))
	w.line("$names = @(Get-Difference $want%d $have)", n)
	if o.Kind == "TenantAllowBlockListSpoofItems" {
		w.line("if ($names.Count -ne 0) { Set-%s -Identity 'Default' -Ids @($have.Identity) @want%d; $done += %s }", o.Kind, n, w.q(o.ID+"/set"))
	} else {
		w.line("if ($names.Count -ne 0) { Set-%s -Identity %s @want%d; $done += %s }", o.Kind, w.q(o.Name), n, w.q(o.ID+"/set"))
	}
	w.shut("}")
}

// names are the properties whose prior values are kept.
func (w *writer) names(n int, o Object) string {
	if o.Kind == "OutboundConnector" {
		return fmt.Sprintf("@($want%d.Keys) + @('IsValidated', 'ValidationRecipients', 'LastValidationTimestamp')", n)
	}
	return fmt.Sprintf("$want%d.Keys", n)
}

func (w *writer) applyRule(n int, o Object, s Setup) {
	w.line("$rules = @(Get-TransportRule)")
	w.open("if ($null -eq $have) {")
	w.creating(o)
	switch {
	case o.First:
		w.line("if ($rules.Count -gt %d) { $new%d['Priority'] = %d }", n-firstRule(s), n, n-firstRule(s))
	case o.Redirect:
		w.outbound(s)
		w.line("$clutter = $rules | Where-Object { $_.Name -eq %s } | Select-Object -First 1", w.q(clutterName(s)))
		w.line("if (($null -ne $clutter) -and ($clutter.Priority -gt $outbound)) { $new%d['Priority'] = $clutter.Priority }", n)
	}
	w.line("New-TransportRule @new%d | Out-Null", n)
	w.line("$done += %s", w.q(o.ID+"/new"))
	w.mid("} else {")
	w.line("$strange = @(Get-Strange $want%d $have)", n)
	w.remember(o, fmt.Sprintf("@($want%d.Keys) + $strange + @('State')", n))
	w.line("$names = @(Get-Difference $want%d $have)", n)
	w.open("if (($names.Count -ne 0) -or ($strange.Count -ne 0)) {")
	w.line("$set = @{}")
	w.line("foreach ($name in $want%d.Keys) { $set[$name] = $want%d[$name] }", n, n)
	w.line("foreach ($name in $strange) { if (@($have.$name) -contains $true) { $set[$name] = $false } else { $set[$name] = $null } }")
	w.line("Set-TransportRule -Identity %s @set", w.q(o.Name))
	w.line("$done += %s", w.q(o.ID+"/set"))
	w.shut("}")
	w.shut("}")
}

// firstRule is the number of the first rule that must stand before all others.
func firstRule(s Setup) int {
	for i, o := range s.Objects {
		if o.First {
			return i + 1
		}
	}
	return 0
}

func clutterName(s Setup) string {
	for _, o := range s.Objects {
		if o.Kind == "TransportRule" && !o.First && !o.Redirect {
			return o.Name
		}
	}
	return ""
}

func redirectNames(s Setup) []string {
	var names []string
	for _, o := range s.Objects {
		if o.Redirect {
			names = append(names, o.Name)
		}
	}
	return names
}

// outbound writes the place of an outbound relay's rule in $rules into $outbound,
// -1 if there is none.
func (w *writer) outbound(s Setup) {
	w.line("$outbound = -1")
	cond := "($null -ne $rule.RouteMessageOutboundConnector) -and ('' -ne $rule.RouteMessageOutboundConnector) -and (($rule.FromScope -eq 'InOrganization') -or ($rule.SentToScope -eq 'NotInOrganization'))"
	if s.OutboundRule != "" {
		cond = "$rule.Name -eq " + w.q(s.OutboundRule)
	}
	w.line("foreach ($rule in $rules) { if ((-not (%s -contains $rule.Name)) -and (%s)) { $outbound = $rule.Priority } }", w.list(redirectNames(s)), cond)
}

// arrange puts our rules into their places: the first ones first, the relay rule
// after an outbound relay's, the clutter rule after the relay rule.
func (w *writer) arrange(s Setup) {
	w.line("# Order of the rules")
	move := func(name, to string) {
		w.line("$rules = @(Get-TransportRule)")
		w.line("$have = $rules | Where-Object { $_.Name -eq %s } | Select-Object -First 1", w.q(name))
		w.line("if (%s) { Set-TransportRule -Identity %s -Priority $to; $done += 'order' }", to, w.q(name))
	}
	for i, o := range s.Objects {
		if o.First {
			w.line("$to = %d", i+1-firstRule(s))
			move(o.Name, "$have.Priority -ne $to")
		}
	}
	for _, o := range s.Objects {
		if o.Redirect {
			w.line("$rules = @(Get-TransportRule)")
			w.outbound(s)
			w.line("$to = $outbound")
			move(o.Name, "$have.Priority -lt $to")
		}
	}
	w.line("$rules = @(Get-TransportRule)")
	w.line("$to = 0")
	w.line("foreach ($rule in $rules) { if ((%s -contains $rule.Name) -and ($rule.Priority -gt $to)) { $to = $rule.Priority } }", w.list(redirectNames(s)))
	move(clutterName(s), "$have.Priority -lt $to")
}

// validate runs Exchange's own validation of the send connector; only its test
// message may fail.
func (w *writer) validate(o Object) {
	w.line("$have = Get-OutboundConnector -Identity %s", w.q(o.Name))
	w.open("if (-not $have.IsValidated) {")
	w.line("$tasks = @(Validate-OutboundConnector -Identity %s -Recipients @($mailbox))", w.q(o.Name))
	w.line("$steps = @()")
	w.line("foreach ($task in $tasks) { if (-not ($task.TaskName -match 'mail|message')) { $steps += @(Get-Task $task) } }")
	w.line("$steps = @($steps | Where-Object { -not ($_.TaskName -match 'mail|message') })")
	w.line("$failed = $steps | Where-Object { -not $_.IsTaskSuccessful } | Select-Object -First 1")
	w.line("if ($steps.Count -eq 0) { throw 'Exchange answered the validation of the connector without a connectivity test. Run the script again.' }")
	w.line("if ($null -ne $failed) { throw (\"Exchange could not connect to the relay: \" + $failed.TaskName + \" failed (\" + $failed.TaskDetail + \"). Check the smart host, port 25 and the certificate, and run the script again.\") }")
	w.line("Set-OutboundConnector -Identity %s -IsValidated $true -ValidationRecipients @($mailbox) -LastValidationTimestamp (Get-Date)", w.q(o.Name))
	w.line("$done += %s", w.q(strings.TrimSpace(o.ID+"/validate")))
	w.shut("}")
}

// retire takes away what an earlier script made and is not wanted any more, after
// everything that is wanted is there.
func (w *writer) retire(s Setup) {
	ids := make([]string, len(s.Objects), len(s.Objects)+1)
	for i, o := range s.Objects {
		ids[i] = o.ID
	}
	ids = append(ids, "order")
	w.line("")
	w.line("# What an earlier script made and is not wanted any more")
	w.line("$wantedIds = %s", w.list(ids))
	w.open("foreach ($saved in @($state | Where-Object { -not ($wantedIds -contains $_.Id) })) {")
	w.open("if ($saved.Created -and ($saved.Kind -eq 'TransportRule')) {")
	w.line("$have = Get-TransportRule | Where-Object { $_.Name -eq $saved.Name } | Select-Object -First 1")
	w.line("if ($null -ne $have) { Remove-TransportRule -Identity $saved.Name -Confirm:$false; $done += ($saved.Id + '/remove') }")
	w.shut("}")
	w.open("if ($saved.Created -and ($saved.Kind -eq 'TenantAllowBlockListSpoofItems')) {")
	w.line("$have = Get-TenantAllowBlockListSpoofItems | Where-Object { $saved.Name -eq ($_.SpoofedUser + ', ' + $_.SendingInfrastructure + ', ' + $_.SpoofType) } | Select-Object -First 1")
	w.line("if ($null -ne $have) { Remove-TenantAllowBlockListSpoofItems -Identity 'domain.com\\Default' -Ids @($have.Identity) -Confirm:$false; $done += ($saved.Id + '/remove') }")
	w.shut("}")
	w.shut("}")
	w.line("$state = @($state | Where-Object { $wantedIds -contains $_.Id })")
	for i, o := range s.Objects {
		for list := range o.Adds {
			w.line("$saved = Get-Saved $state %s", w.q(o.ID))
			w.line("$stale = @(Get-Missing $saved.Added $add%d)", i+1)
			w.open("if ($stale.Count -ne 0) {")
			w.find(o)
			if o.Kind == "ArcConfig" {
				w.line("$keep = @(Get-Missing $have.%s $stale)", list)
				w.line("if ($keep.Count -eq 0) { $keep = @(' ') }")
				w.line("Set-ArcConfig -Identity %s -%s $keep", w.q(o.Name), list)
			} else {
				w.line("Set-%s -Identity %s -%s @{ Remove = $stale }", o.Kind, w.q(o.Name), list)
			}
			w.line("$state = @($state | Where-Object { $_.Id -ne %s })", w.q(o.ID))
			w.line("$state += @{ Id = %s; Kind = %s; Name = %s; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @(Get-Missing $saved.Added $stale) }", w.q(o.ID), w.q(o.Kind), w.q(o.Name))
			w.shut("}")
		}
	}
	w.line("Save-State $state")
}

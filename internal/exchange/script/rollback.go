package script

import "slices"

// verifyAll writes the function that compares everything.
func (w *writer) verifyAll(s Setup) {
	w.line("")
	w.open("function Get-AllDrift {")
	w.line("$found = @()")
	for i, o := range s.Objects {
		w.find(o)
		w.line("$found += @(Get-Drift %s $want%d $have)", w.q(o.ID), i+1)
		for list := range o.Adds {
			w.line("$missing = @(Get-Missing $add%d $have.%s)", i+1, list)
			w.line("if ($missing.Count -ne 0) { $found += @{ object = %s; field = %s; want = $add%d; have = $have.%s; severity = 'warning' } }", w.q(o.ID), w.q(list), i+1, list)
		}
		if o.Kind != "TransportRule" {
			continue
		}
		w.open("if ($null -ne $have) {")
		w.line("foreach ($name in @(Get-Strange $want%d $have)) { $found += @{ object = %s; field = $name; want = $null; have = (Get-Shown $name $have.$name); severity = 'critical' } }", i+1, w.q(o.ID))
		w.line("if ($have.State -ne 'Enabled') { $found += @{ object = %s; field = 'State'; want = 'Enabled'; have = $have.State; severity = 'critical' } }", w.q(o.ID))
		w.shut("}")
	}
	w.line("return @($found | Where-Object { $null -ne $_ })")
	w.shut("}")
}

// rollback writes the way back: the relay rule off first, then what nothing uses
// any more.
func (w *writer) rollback(s Setup) {
	for _, o := range s.Objects {
		if !o.Redirect {
			continue
		}
		w.line("$saved = Get-Saved $state %s", w.q(o.ID))
		w.find(o)
		w.open("if (($null -ne $saved) -and ($null -ne $have)) {")
		w.line("if (($saved.Created -or ($saved.Prior.State -eq 'Disabled')) -and ($have.State -eq 'Enabled')) { Disable-TransportRule -Identity %s -Confirm:$false; $done += %s }", w.q(o.Name), w.q(o.ID+"/disable"))
		w.shut("}")
	}
	order := make([]int, len(s.Objects))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(s.Objects[a]) - rank(s.Objects[b]) })
	for _, i := range order {
		w.undo(i+1, s.Objects[i])
	}
	w.line("")
	w.order(s)
	w.line("$state = @()")
	w.line("Save-State $state")
}

// order moves rules of ours that were there before back to their places, place by
// place: either the rule that belongs there is ours and comes, or it is somebody's
// and the one of ours that stands in its place goes.
func (w *writer) order(s Setup) {
	var ours []string
	for _, o := range s.Objects {
		if o.Kind == "TransportRule" {
			ours = append(ours, o.Name)
		}
	}
	w.line("# Rules that were there before go back to their places")
	w.line("$saved = Get-Saved $state 'order'")
	w.open("if ($null -ne $saved) {")
	w.line("$there = @(Get-TransportRule | ForEach-Object { $_.Name })")
	w.line("$target = @($saved.Names | Where-Object { $there -contains $_ })")
	w.line("$target = $target + @($there | Where-Object { -not ($target -contains $_) })")
	w.line("$at = 0")
	w.line("$steps = 0")
	w.open("while (($at -lt $target.Count) -and ($steps -lt 1000)) {")
	w.line("$steps = $steps + 1")
	w.line("$now = @(Get-TransportRule | ForEach-Object { $_.Name })")
	w.line("$to = 0")
	w.open("if ($now[$at] -eq $target[$at]) {")
	w.line("$at = $at + 1")
	w.mid("} else {")
	w.open("if (%s -contains $target[$at]) {", w.list(ours))
	w.line("Set-TransportRule -Identity $target[$at] -Priority $at")
	w.mid("} else {")
	w.line("while ($target[$to] -ne $now[$at]) { $to = $to + 1 }")
	w.line("Set-TransportRule -Identity $now[$at] -Priority $to")
	w.shut("}")
	w.shut("}")
	w.shut("}")
	w.shut("}")
}

func rank(o Object) int {
	switch {
	case o.Redirect:
		return 1
	case o.Kind == "TransportRule" && !o.First:
		return 0
	}
	for i, kind := range []string{"TransportRule", "OutboundConnector", "InboundConnector", "TenantAllowBlockListSpoofItems", "HostedConnectionFilterPolicy", "ArcConfig", "RemoteDomain"} {
		if o.Kind == kind {
			return 2 + i
		}
	}
	return 99
}

func (w *writer) undo(n int, o Object) {
	w.line("")
	w.line("# %d. %s", n, comment(o.ID))
	w.line("Send-Step %s", w.q(o.Kind+" "+o.Name))
	w.line("$saved = Get-Saved $state %s", w.q(o.ID))
	w.find(o)
	w.open("if (($null -ne $saved) -and ($null -ne $have)) {")
	switch {
	case o.Kind == "TenantAllowBlockListSpoofItems":
		w.open("if ($saved.Created) {")
		w.line("Remove-%s -Identity 'domain.com\\Default' -Ids @($have.Identity) -Confirm:$false", o.Kind)
		w.mid("} else {")
		w.line("$back = Get-Back $saved $want%d $have", n)
		w.line("if ($back.Count -ne 0) { Set-%s -Identity 'Default' -Ids @($have.Identity) @back }", o.Kind)
		w.shut("}")
	case single(o.Kind):
		w.undoSingle(n, o)
	default:
		w.open("if ($saved.Created) {")
		w.line("Remove-%s -Identity %s -Confirm:$false", o.Kind, w.q(o.Name))
		w.mid("} else {")
		w.undoProps(n, o)
		w.shut("}")
	}
	w.line("$done += %s", w.q(o.ID+"/rollback"))
	w.shut("}")
}

func (w *writer) undoSingle(n int, o Object) {
	w.line("$back = Get-Back $saved $want%d $have", n)
	w.line("$foreign += @(Get-Foreign %s $saved $want%d $have)", w.q(o.ID), n)
	w.line("if ($back.Count -ne 0) { Set-%s -Identity %s @back }", o.Kind, w.q(o.Name))
	for list := range o.Adds {
		w.line("$keep = @(Get-Missing $have.%s $saved.Added)", list)
		w.line("$gone = @(Get-Missing $have.%s $keep)", list)
		if o.Kind == "ArcConfig" {
			w.line("if ($keep.Count -eq 0) { $keep = @(' ') }")
			w.line("if ($gone.Count -ne 0) { Set-ArcConfig -Identity %s -%s $keep }", w.q(o.Name), list)
		} else {
			w.line("if ($gone.Count -ne 0) { Set-%s -Identity %s -%s @{ Remove = $gone } }", o.Kind, w.q(o.Name), list)
		}
	}
}

func (w *writer) undoProps(n int, o Object) {
	switch o.Kind {
	case "TransportRule":
		w.line("$wanted = @{ State = 'Enabled' }")
		w.line("foreach ($name in $want%d.Keys) { $wanted[$name] = $want%d[$name] }", n, n)
	case "OutboundConnector":
		w.line("$wanted = @{ IsValidated = $true; ValidationRecipients = @($mailbox); LastValidationTimestamp = $have.LastValidationTimestamp }")
		w.line("foreach ($name in $want%d.Keys) { $wanted[$name] = $want%d[$name] }", n, n)
	default:
		w.line("$wanted = $want%d", n)
	}
	w.line("$back = Get-Back $saved $wanted $have")
	w.line("$foreign += @(Get-Foreign %s $saved $wanted $have)", w.q(o.ID))
	if o.Kind == "TransportRule" {
		w.line("$turn = $back['State']")
		w.line("$back.Remove('State')")
	}
	w.line("if ($back.Count -ne 0) { Set-%s -Identity %s @back }", o.Kind, w.q(o.Name))
	if o.Kind == "TransportRule" {
		w.line("if ($turn -eq 'Enabled') { Enable-TransportRule -Identity %s }", w.q(o.Name))
		w.line("if ($turn -eq 'Disabled') { Disable-TransportRule -Identity %s -Confirm:$false }", w.q(o.Name))
	}
}

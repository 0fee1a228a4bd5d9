# ---- Helpers: nothing here knows this organization -------------------------------

function Get-Entries {
    param($Value)
    $entries = @($Value | Where-Object { ($null -ne $_) -and ('' -ne $_) })
    return @($entries | ForEach-Object { if ($_ -eq 'smtp:*;1') { '*' } else { $_ } })
}

function Get-Missing {
    param($Wanted, $Have)
    $list = @(Get-Entries $Have)
    return @(Get-Entries $Wanted | Where-Object { -not ($list -contains $_) })
}

function Test-Same {
    param($Wanted, $Have)
    $one = @(Get-Missing $Wanted $Have)
    $two = @(Get-Missing $Have $Wanted)
    return (($one.Count -eq 0) -and ($two.Count -eq 0))
}

function Get-Difference {
    param($Wanted, $Have)
    $names = @()
    foreach ($name in $Wanted.Keys) {
        $same = Test-Same $Wanted[$name] $Have.$name
        if (-not $same) { $names += $name }
    }
    return $names
}

# Conditions, exceptions and actions that a rule of ours must not have.
function Get-Strange {
    param($Wanted, $Have)
    $names = @()
    foreach ($name in $rulePredicates) {
        $found = @(Get-Entries $Have.$name)
        $set = (($found.Count -ne 0) -and (-not ($found -contains $false)))
        if ($set -and (-not ($Wanted.Keys -contains $name))) { $names += $name }
    }
    return $names
}

function Get-Prior {
    param($Names, $Have)
    $prior = @{}
    foreach ($name in $Names) { $prior[$name] = $Have.$name }
    return $prior
}

function Get-Saved {
    param($State, $Id)
    return ($State | Where-Object { $_.Id -eq $Id } | Select-Object -First 1)
}

function Save-State {
    param($State)
    $file = @{ Version = 1; Tenant = $tenant; Objects = @($State) }
    $file | ConvertTo-Json -Depth 8 | Set-Content -Path $StateFile -Encoding UTF8
}

function Get-Task {
    param($Task)
    $subs = @($Task.SubTaskResults | Where-Object { $null -ne $_ })
    if ($subs.Count -eq 0) { return $Task }
    foreach ($sub in $subs) { Get-Task $sub }
}

# Tells Postern how far the run is. What cannot be told stops nothing.
function Send-Step {
    param($Step)
    if (-not $telling) { return }
    try {
        Invoke-RestMethod -Method Post -Uri $ReportUrl -Headers @{ Authorization = "Bearer $reportKey" } -ContentType 'application/json' -Body (@{ step = $Step } | ConvertTo-Json) | Out-Null
    } catch {
        Write-Warning 'This step could not be told to Postern; the run goes on.'
    }
}

# Whether the object still has what this script gave it.
function Test-Ours {
    param($Name, $Wanted, $Have)
    if ($Wanted.Keys -contains $Name) { return (Test-Same $Wanted[$Name] $Have.$Name) }
    $found = @(Get-Entries $Have.$Name)
    return (($found.Count -eq 0) -or ($found -contains $false))
}

function Get-Back {
    param($Saved, $Wanted, $Have)
    $back = @{}
    foreach ($name in $Saved.Names) {
        $ours = Test-Ours $name $Wanted $Have
        $same = Test-Same $Saved.Prior.$name $Have.$name
        if ($ours -and (-not $same)) { $back[$name] = $Saved.Prior.$name }
    }
    return $back
}

function Get-Foreign {
    param($Id, $Saved, $Wanted, $Have)
    $list = @()
    foreach ($name in $Saved.Names) {
        $ours = Test-Ours $name $Wanted $Have
        $same = Test-Same $Saved.Prior.$name $Have.$name
        if ((-not $ours) -and (-not $same)) { $list += @{ object = $Id; field = $name } }
    }
    return $list
}

# Values of the relay key and of the organization's token are never reported.
function Get-Shown {
    param($Name, $Value)
    if (@('SetHeaderValue', 'ExceptIfHeaderContainsWords') -contains $Name) { return '***' }
    return $Value
}

function Get-Drift {
    param($Id, $Wanted, $Have)
    $list = @()
    if ($null -eq $Have) {
        $list += @{ object = $Id; field = ''; want = 'present'; have = 'absent'; severity = 'critical' }
        return $list
    }
    foreach ($name in @(Get-Difference $Wanted $Have)) {
        $list += @{ object = $Id; field = $name; want = (Get-Shown $name $Wanted[$name]); have = (Get-Shown $name $Have.$name); severity = 'warning' }
    }
    return $list
}

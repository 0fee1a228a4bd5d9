# Trustifi: mail relay of contoso.onmicrosoft.com, written 2026-11-22T08:00:00Z.
#
# It holds the relay key: keep it as secret as a password, and delete it when it was run.
#
#   .\postern-exchange.ps1 -Mode Apply      sets up the relay; may be run again at any time
#   .\postern-exchange.ps1 -Mode Verify     changes nothing, names every difference
#   .\postern-exchange.ps1 -Mode Rollback   puts back what the state file says was there before
#
# It prints a report as JSON, which Postern imports. It needs the module ExchangeOnlineManagement:
#   Install-Module ExchangeOnlineManagement -Scope CurrentUser
#Requires -Version 5.1
[CmdletBinding()]
param(
    [string]$Mode = 'Apply',
    [string]$StateFile = 'postern-exchange-contoso.json',
    [string]$Organization = 'contoso.onmicrosoft.com',
    [string]$ReportUrl = 'https://postern.example/api/exchange/report',
    [string]$ReportToken = 'one-time',
    [switch]$SkipConnect
)
$ErrorActionPreference = 'Stop'
$tenant = 'contoso'
$mailbox = 'it@contoso.com'
$domains = @('contoso.com', 'fabrikam.example')

# ---- What is wanted --------------------------------------------------------------

$rulePredicates = @('ADComparisonAttribute', 'ADComparisonOperator', 'ActivationDate', 'AddManagerAsRecipientType', 'AddToRecipients', 'AnyOfCcHeader', 'AnyOfCcHeaderMemberOf', 'AnyOfRecipientAddressContainsWords', 'AnyOfRecipientAddressMatchesPatterns', 'AnyOfToCcHeader', 'AnyOfToCcHeaderMemberOf', 'AnyOfToHeader', 'AnyOfToHeaderMemberOf', 'ApplyClassification', 'ApplyHtmlDisclaimerFallbackAction', 'ApplyHtmlDisclaimerLocation', 'ApplyHtmlDisclaimerText', 'ApplyOME', 'ApplyRightsProtectionCustomizationTemplate', 'ApplyRightsProtectionTemplate', 'AttachmentContainsWords', 'AttachmentExtensionMatchesWords', 'AttachmentHasExecutableContent', 'AttachmentIsPasswordProtected', 'AttachmentIsUnsupported', 'AttachmentMatchesPatterns', 'AttachmentNameMatchesPatterns', 'AttachmentProcessingLimitExceeded', 'AttachmentPropertyContainsWords', 'AttachmentSizeOver', 'BetweenMemberOf1', 'BetweenMemberOf2', 'BlindCopyTo', 'ContentCharacterSetContainsWords', 'CopyTo', 'DeleteMessage', 'Disconnect', 'ExceptIfADComparisonAttribute', 'ExceptIfADComparisonOperator', 'ExceptIfAnyOfCcHeader', 'ExceptIfAnyOfCcHeaderMemberOf', 'ExceptIfAnyOfRecipientAddressContainsWords', 'ExceptIfAnyOfRecipientAddressMatchesPatterns', 'ExceptIfAnyOfToCcHeader', 'ExceptIfAnyOfToCcHeaderMemberOf', 'ExceptIfAnyOfToHeader', 'ExceptIfAnyOfToHeaderMemberOf', 'ExceptIfAttachmentContainsWords', 'ExceptIfAttachmentExtensionMatchesWords', 'ExceptIfAttachmentHasExecutableContent', 'ExceptIfAttachmentIsPasswordProtected', 'ExceptIfAttachmentIsUnsupported', 'ExceptIfAttachmentMatchesPatterns', 'ExceptIfAttachmentNameMatchesPatterns', 'ExceptIfAttachmentProcessingLimitExceeded', 'ExceptIfAttachmentPropertyContainsWords', 'ExceptIfAttachmentSizeOver', 'ExceptIfBetweenMemberOf1', 'ExceptIfBetweenMemberOf2', 'ExceptIfContentCharacterSetContainsWords', 'ExceptIfFrom', 'ExceptIfFromAddressContainsWords', 'ExceptIfFromAddressMatchesPatterns', 'ExceptIfFromMemberOf', 'ExceptIfFromScope', 'ExceptIfHasClassification', 'ExceptIfHasNoClassification', 'ExceptIfHasSenderOverride', 'ExceptIfHeaderContainsMessageHeader', 'ExceptIfHeaderContainsWords', 'ExceptIfHeaderMatchesMessageHeader', 'ExceptIfHeaderMatchesPatterns', 'ExceptIfManagerAddresses', 'ExceptIfManagerForEvaluatedUser', 'ExceptIfMessageContainsDataClassifications', 'ExceptIfMessageSizeOver', 'ExceptIfMessageTypeMatches', 'ExceptIfRecipientADAttributeContainsWords', 'ExceptIfRecipientADAttributeMatchesPatterns', 'ExceptIfRecipientAddressContainsWords', 'ExceptIfRecipientAddressMatchesPatterns', 'ExceptIfRecipientDomainIs', 'ExceptIfRecipientInSenderList', 'ExceptIfSCLOver', 'ExceptIfSenderADAttributeContainsWords', 'ExceptIfSenderADAttributeMatchesPatterns', 'ExceptIfSenderDomainIs', 'ExceptIfSenderInRecipientList', 'ExceptIfSenderIpRanges', 'ExceptIfSenderManagementRelationship', 'ExceptIfSentTo', 'ExceptIfSentToMemberOf', 'ExceptIfSentToScope', 'ExceptIfSubjectContainsWords', 'ExceptIfSubjectMatchesPatterns', 'ExceptIfSubjectOrBodyContainsWords', 'ExceptIfSubjectOrBodyMatchesPatterns', 'ExceptIfWithImportance', 'ExpiryDate', 'From', 'FromAddressContainsWords', 'FromAddressMatchesPatterns', 'FromMemberOf', 'FromScope', 'GenerateIncidentReport', 'GenerateNotification', 'HasClassification', 'HasNoClassification', 'HasSenderOverride', 'HeaderContainsMessageHeader', 'HeaderContainsWords', 'HeaderMatchesMessageHeader', 'HeaderMatchesPatterns', 'IncidentReportContent', 'LogEventText', 'ManagerAddresses', 'ManagerForEvaluatedUser', 'MessageContainsDataClassifications', 'MessageSizeOver', 'MessageTypeMatches', 'ModerateMessageByManager', 'ModerateMessageByUser', 'PrependSubject', 'Quarantine', 'RecipientADAttributeContainsWords', 'RecipientADAttributeMatchesPatterns', 'RecipientAddressContainsWords', 'RecipientAddressMatchesPatterns', 'RecipientDomainIs', 'RecipientInSenderList', 'RedirectMessageTo', 'RejectMessageEnhancedStatusCode', 'RejectMessageReasonText', 'RemoveHeader', 'RemoveOME', 'RemoveOMEv2', 'RemoveRMSAttachmentEncryption', 'RouteMessageOutboundConnector', 'RouteMessageOutboundRequireTls', 'SCLOver', 'SenderADAttributeContainsWords', 'SenderADAttributeMatchesPatterns', 'SenderDomainIs', 'SenderInRecipientList', 'SenderIpRanges', 'SenderManagementRelationship', 'SentTo', 'SentToMemberOf', 'SentToScope', 'SetAuditSeverity', 'SetHeaderName', 'SetHeaderValue', 'SetSCL', 'SmtpRejectMessageRejectStatusCode', 'SmtpRejectMessageRejectText', 'StopRuleProcessing', 'SubjectContainsWords', 'SubjectMatchesPatterns', 'SubjectOrBodyContainsWords', 'SubjectOrBodyMatchesPatterns', 'WithImportance')

# 1. RemoteDomain Default (guide steps G1.21 to G1.25)
# Mail to the relay leaves the organization, so Exchange would turn rich text into winmail.dat and drop automatic replies; with these settings every kind of content comes through unharmed.
$want1 = @{
    AllowedOOFType = 'ExternalLegacy'
    CharacterSet = 'utf-8'
    NonMimeCharacterSet = 'utf-8'
    TNEFEnabled = $false
}

# 2. HostedConnectionFilterPolicy Default (guide steps G1.27 to G1.29)
# Mail that comes back from the relay was judged already; without these entries Exchange would judge the relay's address as if it were the sender.
$want2 = @{
    EnableSafeList = $true
}
$add2 = @('192.0.2.10', '192.0.2.11', '203.0.113.20')

# 3. TenantAllowBlockListSpoofItems *, out.postern.example, Internal (guide steps G1.30 to G1.32)
# Returned mail keeps its sender but comes from the relay, which looks like spoofing to Exchange; this pair says that it is not.
$want3 = @{
    Action = 'Allow'
}
$new3 = @{
    Action = 'Allow'
    Identity = 'Default'
    SendingInfrastructure = 'out.postern.example'
    SpoofType = 'Internal'
    SpoofedUser = '*'
}

# 4. TenantAllowBlockListSpoofItems *, out.postern.example, External (guide step G1.33)
# Returned mail keeps its sender but comes from the relay, which looks like spoofing to Exchange; this pair says that it is not.
$want4 = @{
    Action = 'Allow'
}
$new4 = @{
    Action = 'Allow'
    Identity = 'Default'
    SendingInfrastructure = 'out.postern.example'
    SpoofType = 'External'
    SpoofedUser = '*'
}

# 5. ArcConfig Default
# When the relay changes a message, the sender's DKIM signature breaks; Exchange then believes the relay's ARC seal of what was true before.
$want5 = @{
}
$add5 = @('postern.example')

# 6. InboundConnector Trustifi Inbound Connector (Receive) (guide steps G1.5 to G1.11)
# Exchange knows mail from the relay by this connector and takes it only over TLS.
$want6 = @{
    AssociatedAcceptedDomains = @()
    CloudServicesMailEnabled = $false
    ConnectorType = 'OnPremises'
    EFSkipLastIP = $false
    Enabled = $true
    RequireTls = $true
    RestrictDomainsToCertificate = $false
    RestrictDomainsToIPAddresses = $false
    SenderDomains = @('*')
    SenderIPAddresses = @()
    TlsSenderCertificateName = '*.postern.example'
    TreatMessagesAsInternal = $false
}
$new6 = @{
    CloudServicesMailEnabled = $false
    Comment = 'Takes mail back from the relay. Managed by Postern, marker postern-89d7a453561f.'
    ConnectorSource = 'Default'
    ConnectorType = 'OnPremises'
    Enabled = $true
    Name = 'Trustifi Inbound Connector (Receive)'
    RequireTls = $true
    RestrictDomainsToCertificate = $false
    RestrictDomainsToIPAddresses = $false
    SenderDomains = @('*')
    TlsSenderCertificateName = '*.postern.example'
}

# 7. OutboundConnector Trustifi Inbound Connector (Send) (guide steps G1.12 to G1.20)
# Mail that the redirect rule picks goes through this connector to the relay, over TLS to a proven name.
$want7 = @{
    AllAcceptedDomains = $false
    CloudServicesMailEnabled = $false
    ConnectorType = 'OnPremises'
    Enabled = $true
    IsTransportRuleScoped = $true
    RecipientDomains = @()
    RouteAllMessagesViaOnPremises = $false
    SmartHosts = @('relay.postern.example')
    TestMode = $false
    TlsDomain = '*.postern.example'
    TlsSettings = 'DomainValidation'
    UseMXRecord = $false
}
$new7 = @{
    CloudServicesMailEnabled = $false
    Comment = 'Hands mail to the relay, only when a mail flow rule says so. Managed by Postern, marker postern-89d7a453561f.'
    ConnectorSource = 'Default'
    ConnectorType = 'OnPremises'
    Enabled = $true
    IsTransportRuleScoped = $true
    Name = 'Trustifi Inbound Connector (Send)'
    SmartHosts = @('relay.postern.example')
    TlsDomain = '*.postern.example'
    TlsSettings = 'DomainValidation'
    UseMXRecord = $false
}

# 8. TransportRule Trustifi Inbound Remove Processed Mark
# An outside sender can write x-trustifi-inbound-processed into a message; it is removed before another rule can believe it.
$want8 = @{
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    RemoveHeader = 'x-trustifi-inbound-processed'
}
$new8 = @{
    Comments = 'Takes x-trustifi-inbound-processed out of mail that does not come from the relay. Must be among the first rules. Managed by Postern, marker postern-89d7a453561f.'
    Enabled = $true
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    Name = 'Trustifi Inbound Remove Processed Mark'
    RemoveHeader = 'x-trustifi-inbound-processed'
}

# 9. TransportRule Trustifi Inbound Remove Key Header
# An outside sender can write x-trustifi-creds into a message; it is removed before another rule can believe it.
$want9 = @{
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    RemoveHeader = 'x-trustifi-creds'
}
$new9 = @{
    Comments = 'Takes x-trustifi-creds out of mail that does not come from the relay. Must be among the first rules. Managed by Postern, marker postern-89d7a453561f.'
    Enabled = $true
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    Name = 'Trustifi Inbound Remove Key Header'
    RemoveHeader = 'x-trustifi-creds'
}

# 10. TransportRule Trustifi Inbound Relay (guide steps G1.34 to G1.58)
# This rule hands inbound mail to the relay, marked with the relay key, and leaves alone what the relay has returned.
$want10 = @{
    ExceptIfHeaderContainsMessageHeader = 'x-trustifi-inbound-processed'
    ExceptIfHeaderContainsWords = @('yes')
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    RecipientDomainIs = @('contoso.com', 'fabrikam.example')
    RouteMessageOutboundConnector = 'Trustifi Inbound Connector (Send)'
    RouteMessageOutboundRequireTls = $true
    RuleErrorAction = 'Defer'
    SenderAddressLocation = 'HeaderOrEnvelope'
    SentToScope = 'InOrganization'
    SetAuditSeverity = 'High'
    SetHeaderName = 'x-trustifi-creds'
    SetHeaderValue = 'pk_7Qm2vXw9LrT4sYb8NcD1fGhJ5kZ0aEuI'
    SetSCL = -1
    StopRuleProcessing = $true
}
$new10 = @{
    Comments = 'Redirects inbound mail to the relay. Made disabled; enabled when the connector was validated. Managed by Postern, marker postern-89d7a453561f.'
    Enabled = $false
    ExceptIfHeaderContainsMessageHeader = 'x-trustifi-inbound-processed'
    ExceptIfHeaderContainsWords = @('yes')
    ExceptIfSenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    Mode = 'Enforce'
    Name = 'Trustifi Inbound Relay'
    RecipientDomainIs = @('contoso.com', 'fabrikam.example')
    RouteMessageOutboundConnector = 'Trustifi Inbound Connector (Send)'
    RouteMessageOutboundRequireTls = $true
    RuleErrorAction = 'Defer'
    SenderAddressLocation = 'HeaderOrEnvelope'
    SentToScope = 'InOrganization'
    SetAuditSeverity = 'High'
    SetHeaderName = 'x-trustifi-creds'
    SetHeaderValue = 'pk_7Qm2vXw9LrT4sYb8NcD1fGhJ5kZ0aEuI'
    SetSCL = -1
    StopRuleProcessing = $true
}

# 11. TransportRule Trustifi Inbound Bypass Clutter (guide steps G2.c1 to G2.c13)
# Mail that the relay returned or released goes to the inbox instead of being judged and moved once more.
$want11 = @{
    Mode = 'Enforce'
    SenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    SetHeaderName = 'X-MS-Exchange-Organization-BypassClutter'
    SetHeaderValue = 'true'
    SetSCL = -1
    StopRuleProcessing = $true
}
$new11 = @{
    Comments = 'Lets mail that the relay returned go to the inbox. Must come after the relay rule. Managed by Postern, marker postern-89d7a453561f.'
    Enabled = $true
    Mode = 'Enforce'
    Name = 'Trustifi Inbound Bypass Clutter'
    SenderIpRanges = @('192.0.2.10', '192.0.2.11', '203.0.113.20')
    SetHeaderName = 'X-MS-Exchange-Organization-BypassClutter'
    SetHeaderValue = 'true'
    SetSCL = -1
    StopRuleProcessing = $true
}

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

function Get-AllDrift {
    $found = @()
    $have = Get-RemoteDomain -Identity 'Default'
    $found += @(Get-Drift 'remote-domain' $want1 $have)
    $have = Get-HostedConnectionFilterPolicy -Identity 'Default'
    $found += @(Get-Drift 'connection-filter' $want2 $have)
    $missing = @(Get-Missing $add2 $have.IPAllowList)
    if ($missing.Count -ne 0) { $found += @{ object = 'connection-filter'; field = 'IPAllowList'; want = $add2; have = $have.IPAllowList; severity = 'warning' } }
    $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'Internal') } | Select-Object -First 1
    $found += @(Get-Drift 'spoof-internal-out.postern.example' $want3 $have)
    $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'External') } | Select-Object -First 1
    $found += @(Get-Drift 'spoof-external-out.postern.example' $want4 $have)
    $arc = Get-ArcConfig | Select-Object -First 1
    $have = @{ ArcTrustedSealers = @($arc.ArcTrustedSealers -split ',') }
    $found += @(Get-Drift 'arc-trust' $want5 $have)
    $missing = @(Get-Missing $add5 $have.ArcTrustedSealers)
    if ($missing.Count -ne 0) { $found += @{ object = 'arc-trust'; field = 'ArcTrustedSealers'; want = $add5; have = $have.ArcTrustedSealers; severity = 'warning' } }
    $have = Get-InboundConnector | Where-Object { $_.Name -eq 'Trustifi Inbound Connector (Receive)' } | Select-Object -First 1
    $found += @(Get-Drift 'inbound-connector' $want6 $have)
    $have = Get-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -ErrorAction SilentlyContinue
    $found += @(Get-Drift 'outbound-connector' $want7 $have)
    $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Processed Mark' } | Select-Object -First 1
    $found += @(Get-Drift 'rule-strip-processed' $want8 $have)
    if ($null -ne $have) {
        foreach ($name in @(Get-Strange $want8 $have)) { $found += @{ object = 'rule-strip-processed'; field = $name; want = $null; have = (Get-Shown $name $have.$name); severity = 'critical' } }
        if ($have.State -ne 'Enabled') { $found += @{ object = 'rule-strip-processed'; field = 'State'; want = 'Enabled'; have = $have.State; severity = 'critical' } }
    }
    $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Key Header' } | Select-Object -First 1
    $found += @(Get-Drift 'rule-strip-key' $want9 $have)
    if ($null -ne $have) {
        foreach ($name in @(Get-Strange $want9 $have)) { $found += @{ object = 'rule-strip-key'; field = $name; want = $null; have = (Get-Shown $name $have.$name); severity = 'critical' } }
        if ($have.State -ne 'Enabled') { $found += @{ object = 'rule-strip-key'; field = 'State'; want = 'Enabled'; have = $have.State; severity = 'critical' } }
    }
    $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Relay' } | Select-Object -First 1
    $found += @(Get-Drift 'rule-redirect' $want10 $have)
    if ($null -ne $have) {
        foreach ($name in @(Get-Strange $want10 $have)) { $found += @{ object = 'rule-redirect'; field = $name; want = $null; have = (Get-Shown $name $have.$name); severity = 'critical' } }
        if ($have.State -ne 'Enabled') { $found += @{ object = 'rule-redirect'; field = 'State'; want = 'Enabled'; have = $have.State; severity = 'critical' } }
    }
    $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Bypass Clutter' } | Select-Object -First 1
    $found += @(Get-Drift 'rule-clutter' $want11 $have)
    if ($null -ne $have) {
        foreach ($name in @(Get-Strange $want11 $have)) { $found += @{ object = 'rule-clutter'; field = $name; want = $null; have = (Get-Shown $name $have.$name); severity = 'critical' } }
        if ($have.State -ne 'Enabled') { $found += @{ object = 'rule-clutter'; field = 'State'; want = 'Enabled'; have = $have.State; severity = 'critical' } }
    }
    return @($found | Where-Object { $null -ne $_ })
}

# ---- The run ---------------------------------------------------------------------

$state = @()
$done = @()
$drift = @()
$foreign = @()
$problem = $null
$telling = $false
$reportKey = ''
try {
    if (-not (@('Apply', 'Verify', 'Rollback') -contains $Mode)) { throw 'Mode is Apply, Verify or Rollback.' }
    if ('' -ne $ReportUrl) {
        try {
            $answer = Invoke-RestMethod -Method Post -Uri $ReportUrl -Headers @{ Authorization = "Bearer $ReportToken" } -ContentType 'application/json' -Body (@{ mode = $Mode; total = 11 } | ConvertTo-Json)
            $reportKey = $answer.key
            $telling = ($null -ne $reportKey)
        } catch {
            Write-Warning 'Postern does not take the report of this run: its address was not reached, or the token was used before or has ended. The run goes on; upload the report at its end.'
        }
    }
    if (-not $SkipConnect) { Connect-ExchangeOnline -Organization $Organization -ShowBanner:$false }
    if (Test-Path -Path $StateFile) {
        $file = Get-Content -Path $StateFile -Raw | ConvertFrom-Json
        if ($file.Tenant -ne $tenant) { throw 'The state file belongs to another tenant. Name another one with -StateFile.' }
        $state = @($file.Objects | Where-Object { $null -ne $_ })
    }
    if ($Mode -eq 'Apply') {
        foreach ($domain in $domains) {
            $accepted = Get-AcceptedDomain | Where-Object { $_.DomainName -eq $domain } | Select-Object -First 1
            if ($null -eq $accepted) { throw "The domain $domain is not an accepted domain of this organization. Add and verify it first." }
        }
        $organizationConfig = Get-OrganizationConfig
        if ($organizationConfig.IsDehydrated) { Enable-OrganizationCustomization }

        # The order of the rules as it was, for the way back
        if ($null -eq (Get-Saved $state 'order')) {
            $names = @(Get-TransportRule | ForEach-Object { $_.Name })
            $state += @{ Id = 'order'; Kind = 'Order'; Name = 'order'; Created = $false; Names = $names; Prior = @{}; Added = @() }
        }

        # 1. remote-domain
        Send-Step 'RemoteDomain Default'
        $have = Get-RemoteDomain -Identity 'Default'
        if ($null -eq (Get-Saved $state 'remote-domain')) {
            $names = @($want1.Keys)
            $prior = Get-Prior $names $have
            $state += @{ Id = 'remote-domain'; Kind = 'RemoteDomain'; Name = 'Default'; Created = $false; Names = $names; Prior = $prior; Added = @() }
            Save-State $state
        }
        $names = @(Get-Difference $want1 $have)
        if ($names.Count -ne 0) { Set-RemoteDomain -Identity 'Default' @want1; $done += 'remote-domain/set' }

        # 2. connection-filter
        Send-Step 'HostedConnectionFilterPolicy Default'
        $have = Get-HostedConnectionFilterPolicy -Identity 'Default'
        if ($null -eq (Get-Saved $state 'connection-filter')) {
            $names = @($want2.Keys)
            $prior = Get-Prior $names $have
            $state += @{ Id = 'connection-filter'; Kind = 'HostedConnectionFilterPolicy'; Name = 'Default'; Created = $false; Names = $names; Prior = $prior; Added = @() }
            Save-State $state
        }
        $missing = @(Get-Missing $add2 $have.IPAllowList)
        if ($missing.Count -ne 0) {
            $saved = Get-Saved $state 'connection-filter'
            $state = @($state | Where-Object { $_.Id -ne 'connection-filter' })
            $state += @{ Id = 'connection-filter'; Kind = 'HostedConnectionFilterPolicy'; Name = 'Default'; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @($saved.Added) + @(Get-Missing $missing $saved.Added) }
            Save-State $state
            Set-HostedConnectionFilterPolicy -Identity 'Default' -IPAllowList @{ Add = $missing }
            $done += 'connection-filter/add'
        }
        $names = @(Get-Difference $want2 $have)
        if ($names.Count -ne 0) { Set-HostedConnectionFilterPolicy -Identity 'Default' @want2; $done += 'connection-filter/set' }

        # 3. spoof-internal-out.postern.example
        Send-Step 'TenantAllowBlockListSpoofItems *, out.postern.example, Internal'
        $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'Internal') } | Select-Object -First 1
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'spoof-internal-out.postern.example' })
            $state += @{ Id = 'spoof-internal-out.postern.example'; Kind = 'TenantAllowBlockListSpoofItems'; Name = '*, out.postern.example, Internal'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            New-TenantAllowBlockListSpoofItems @new3 | Out-Null
            $done += 'spoof-internal-out.postern.example/new'
        } else {
            if ($null -eq (Get-Saved $state 'spoof-internal-out.postern.example')) {
                $names = @($want3.Keys)
                $prior = Get-Prior $names $have
                $state += @{ Id = 'spoof-internal-out.postern.example'; Kind = 'TenantAllowBlockListSpoofItems'; Name = '*, out.postern.example, Internal'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want3 $have)
            if ($names.Count -ne 0) { Set-TenantAllowBlockListSpoofItems -Identity 'Default' -Ids @($have.Identity) @want3; $done += 'spoof-internal-out.postern.example/set' }
        }

        # 4. spoof-external-out.postern.example
        Send-Step 'TenantAllowBlockListSpoofItems *, out.postern.example, External'
        $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'External') } | Select-Object -First 1
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'spoof-external-out.postern.example' })
            $state += @{ Id = 'spoof-external-out.postern.example'; Kind = 'TenantAllowBlockListSpoofItems'; Name = '*, out.postern.example, External'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            New-TenantAllowBlockListSpoofItems @new4 | Out-Null
            $done += 'spoof-external-out.postern.example/new'
        } else {
            if ($null -eq (Get-Saved $state 'spoof-external-out.postern.example')) {
                $names = @($want4.Keys)
                $prior = Get-Prior $names $have
                $state += @{ Id = 'spoof-external-out.postern.example'; Kind = 'TenantAllowBlockListSpoofItems'; Name = '*, out.postern.example, External'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want4 $have)
            if ($names.Count -ne 0) { Set-TenantAllowBlockListSpoofItems -Identity 'Default' -Ids @($have.Identity) @want4; $done += 'spoof-external-out.postern.example/set' }
        }

        # 5. arc-trust
        Send-Step 'ArcConfig Default'
        $arc = Get-ArcConfig | Select-Object -First 1
        $have = @{ ArcTrustedSealers = @($arc.ArcTrustedSealers -split ',') }
        if ($null -eq (Get-Saved $state 'arc-trust')) {
            $names = @($want5.Keys)
            $prior = Get-Prior $names $have
            $state += @{ Id = 'arc-trust'; Kind = 'ArcConfig'; Name = 'Default'; Created = $false; Names = $names; Prior = $prior; Added = @() }
            Save-State $state
        }
        $missing = @(Get-Missing $add5 $have.ArcTrustedSealers)
        if ($missing.Count -ne 0) {
            $saved = Get-Saved $state 'arc-trust'
            $state = @($state | Where-Object { $_.Id -ne 'arc-trust' })
            $state += @{ Id = 'arc-trust'; Kind = 'ArcConfig'; Name = 'Default'; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @($saved.Added) + @(Get-Missing $missing $saved.Added) }
            Save-State $state
            $list = @(Get-Entries $have.ArcTrustedSealers) + $missing
            Set-ArcConfig -Identity 'Default' -ArcTrustedSealers $list
            $done += 'arc-trust/add'
        }

        # 6. inbound-connector
        Send-Step 'InboundConnector Trustifi Inbound Connector (Receive)'
        $have = Get-InboundConnector | Where-Object { $_.Name -eq 'Trustifi Inbound Connector (Receive)' } | Select-Object -First 1
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'inbound-connector' })
            $state += @{ Id = 'inbound-connector'; Kind = 'InboundConnector'; Name = 'Trustifi Inbound Connector (Receive)'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            New-InboundConnector @new6 | Out-Null
            $done += 'inbound-connector/new'
        } else {
            if ($null -eq (Get-Saved $state 'inbound-connector')) {
                $names = @($want6.Keys)
                $prior = Get-Prior $names $have
                $state += @{ Id = 'inbound-connector'; Kind = 'InboundConnector'; Name = 'Trustifi Inbound Connector (Receive)'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want6 $have)
            if ($names.Count -ne 0) { Set-InboundConnector -Identity 'Trustifi Inbound Connector (Receive)' @want6; $done += 'inbound-connector/set' }
        }

        # 7. outbound-connector
        Send-Step 'OutboundConnector Trustifi Inbound Connector (Send)'
        $have = Get-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -ErrorAction SilentlyContinue
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'outbound-connector' })
            $state += @{ Id = 'outbound-connector'; Kind = 'OutboundConnector'; Name = 'Trustifi Inbound Connector (Send)'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            New-OutboundConnector @new7 | Out-Null
            $done += 'outbound-connector/new'
        } else {
            if ($null -eq (Get-Saved $state 'outbound-connector')) {
                $names = @(@($want7.Keys) + @('IsValidated', 'ValidationRecipients', 'LastValidationTimestamp'))
                $prior = Get-Prior $names $have
                $state += @{ Id = 'outbound-connector'; Kind = 'OutboundConnector'; Name = 'Trustifi Inbound Connector (Send)'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want7 $have)
            if ($names.Count -ne 0) { Set-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' @want7; $done += 'outbound-connector/set' }
        }
        $have = Get-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)'
        if (-not $have.IsValidated) {
            $tasks = @(Validate-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -Recipients @($mailbox))
            $steps = @()
            foreach ($task in $tasks) { if (-not ($task.TaskName -match 'mail|message')) { $steps += @(Get-Task $task) } }
            $steps = @($steps | Where-Object { -not ($_.TaskName -match 'mail|message') })
            $failed = $steps | Where-Object { -not $_.IsTaskSuccessful } | Select-Object -First 1
            if ($steps.Count -eq 0) { throw 'Exchange answered the validation of the connector without a connectivity test. Run the script again.' }
            if ($null -ne $failed) { throw ("Exchange could not connect to the relay: " + $failed.TaskName + " failed (" + $failed.TaskDetail + "). Check the smart host, port 25 and the certificate, and run the script again.") }
            Set-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -IsValidated $true -ValidationRecipients @($mailbox) -LastValidationTimestamp (Get-Date)
            $done += 'outbound-connector/validate'
        }

        # 8. rule-strip-processed
        Send-Step 'TransportRule Trustifi Inbound Remove Processed Mark'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Processed Mark' } | Select-Object -First 1
        $rules = @(Get-TransportRule)
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'rule-strip-processed' })
            $state += @{ Id = 'rule-strip-processed'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Remove Processed Mark'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            if ($rules.Count -gt 0) { $new8['Priority'] = 0 }
            New-TransportRule @new8 | Out-Null
            $done += 'rule-strip-processed/new'
        } else {
            $strange = @(Get-Strange $want8 $have)
            if ($null -eq (Get-Saved $state 'rule-strip-processed')) {
                $names = @(@($want8.Keys) + $strange + @('State'))
                $prior = Get-Prior $names $have
                $state += @{ Id = 'rule-strip-processed'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Remove Processed Mark'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want8 $have)
            if (($names.Count -ne 0) -or ($strange.Count -ne 0)) {
                $set = @{}
                foreach ($name in $want8.Keys) { $set[$name] = $want8[$name] }
                foreach ($name in $strange) { if (@($have.$name) -contains $true) { $set[$name] = $false } else { $set[$name] = $null } }
                Set-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' @set
                $done += 'rule-strip-processed/set'
            }
        }

        # 9. rule-strip-key
        Send-Step 'TransportRule Trustifi Inbound Remove Key Header'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Key Header' } | Select-Object -First 1
        $rules = @(Get-TransportRule)
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'rule-strip-key' })
            $state += @{ Id = 'rule-strip-key'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Remove Key Header'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            if ($rules.Count -gt 1) { $new9['Priority'] = 1 }
            New-TransportRule @new9 | Out-Null
            $done += 'rule-strip-key/new'
        } else {
            $strange = @(Get-Strange $want9 $have)
            if ($null -eq (Get-Saved $state 'rule-strip-key')) {
                $names = @(@($want9.Keys) + $strange + @('State'))
                $prior = Get-Prior $names $have
                $state += @{ Id = 'rule-strip-key'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Remove Key Header'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want9 $have)
            if (($names.Count -ne 0) -or ($strange.Count -ne 0)) {
                $set = @{}
                foreach ($name in $want9.Keys) { $set[$name] = $want9[$name] }
                foreach ($name in $strange) { if (@($have.$name) -contains $true) { $set[$name] = $false } else { $set[$name] = $null } }
                Set-TransportRule -Identity 'Trustifi Inbound Remove Key Header' @set
                $done += 'rule-strip-key/set'
            }
        }

        # 10. rule-redirect
        Send-Step 'TransportRule Trustifi Inbound Relay'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Relay' } | Select-Object -First 1
        $rules = @(Get-TransportRule)
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'rule-redirect' })
            $state += @{ Id = 'rule-redirect'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Relay'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            $outbound = -1
            foreach ($rule in $rules) { if ((-not (@('Trustifi Inbound Relay') -contains $rule.Name)) -and ($rule.Name -eq 'Outbound Relay')) { $outbound = $rule.Priority } }
            $clutter = $rules | Where-Object { $_.Name -eq 'Trustifi Inbound Bypass Clutter' } | Select-Object -First 1
            if (($null -ne $clutter) -and ($clutter.Priority -gt $outbound)) { $new10['Priority'] = $clutter.Priority }
            New-TransportRule @new10 | Out-Null
            $done += 'rule-redirect/new'
        } else {
            $strange = @(Get-Strange $want10 $have)
            if ($null -eq (Get-Saved $state 'rule-redirect')) {
                $names = @(@($want10.Keys) + $strange + @('State'))
                $prior = Get-Prior $names $have
                $state += @{ Id = 'rule-redirect'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Relay'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want10 $have)
            if (($names.Count -ne 0) -or ($strange.Count -ne 0)) {
                $set = @{}
                foreach ($name in $want10.Keys) { $set[$name] = $want10[$name] }
                foreach ($name in $strange) { if (@($have.$name) -contains $true) { $set[$name] = $false } else { $set[$name] = $null } }
                Set-TransportRule -Identity 'Trustifi Inbound Relay' @set
                $done += 'rule-redirect/set'
            }
        }

        # 11. rule-clutter
        Send-Step 'TransportRule Trustifi Inbound Bypass Clutter'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Bypass Clutter' } | Select-Object -First 1
        $rules = @(Get-TransportRule)
        if ($null -eq $have) {
            $state = @($state | Where-Object { $_.Id -ne 'rule-clutter' })
            $state += @{ Id = 'rule-clutter'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Bypass Clutter'; Created = $true; Names = @(); Prior = @{}; Added = @() }
            Save-State $state
            New-TransportRule @new11 | Out-Null
            $done += 'rule-clutter/new'
        } else {
            $strange = @(Get-Strange $want11 $have)
            if ($null -eq (Get-Saved $state 'rule-clutter')) {
                $names = @(@($want11.Keys) + $strange + @('State'))
                $prior = Get-Prior $names $have
                $state += @{ Id = 'rule-clutter'; Kind = 'TransportRule'; Name = 'Trustifi Inbound Bypass Clutter'; Created = $false; Names = $names; Prior = $prior; Added = @() }
                Save-State $state
            }
            $names = @(Get-Difference $want11 $have)
            if (($names.Count -ne 0) -or ($strange.Count -ne 0)) {
                $set = @{}
                foreach ($name in $want11.Keys) { $set[$name] = $want11[$name] }
                foreach ($name in $strange) { if (@($have.$name) -contains $true) { $set[$name] = $false } else { $set[$name] = $null } }
                Set-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' @set
                $done += 'rule-clutter/set'
            }
        }

        # Order of the rules
        $to = 0
        $rules = @(Get-TransportRule)
        $have = $rules | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Processed Mark' } | Select-Object -First 1
        if ($have.Priority -ne $to) { Set-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' -Priority $to; $done += 'order' }
        $to = 1
        $rules = @(Get-TransportRule)
        $have = $rules | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Key Header' } | Select-Object -First 1
        if ($have.Priority -ne $to) { Set-TransportRule -Identity 'Trustifi Inbound Remove Key Header' -Priority $to; $done += 'order' }
        $rules = @(Get-TransportRule)
        $outbound = -1
        foreach ($rule in $rules) { if ((-not (@('Trustifi Inbound Relay') -contains $rule.Name)) -and ($rule.Name -eq 'Outbound Relay')) { $outbound = $rule.Priority } }
        $to = $outbound
        $rules = @(Get-TransportRule)
        $have = $rules | Where-Object { $_.Name -eq 'Trustifi Inbound Relay' } | Select-Object -First 1
        if ($have.Priority -lt $to) { Set-TransportRule -Identity 'Trustifi Inbound Relay' -Priority $to; $done += 'order' }
        $rules = @(Get-TransportRule)
        $to = 0
        foreach ($rule in $rules) { if ((@('Trustifi Inbound Relay') -contains $rule.Name) -and ($rule.Priority -gt $to)) { $to = $rule.Priority } }
        $rules = @(Get-TransportRule)
        $have = $rules | Where-Object { $_.Name -eq 'Trustifi Inbound Bypass Clutter' } | Select-Object -First 1
        if ($have.Priority -lt $to) { Set-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' -Priority $to; $done += 'order' }

        # What an earlier script made and is not wanted any more
        $wantedIds = @('remote-domain', 'connection-filter', 'spoof-internal-out.postern.example', 'spoof-external-out.postern.example', 'arc-trust', 'inbound-connector', 'outbound-connector', 'rule-strip-processed', 'rule-strip-key', 'rule-redirect', 'rule-clutter', 'order')
        foreach ($saved in @($state | Where-Object { -not ($wantedIds -contains $_.Id) })) {
            if ($saved.Created -and ($saved.Kind -eq 'TransportRule')) {
                $have = Get-TransportRule | Where-Object { $_.Name -eq $saved.Name } | Select-Object -First 1
                if ($null -ne $have) { Remove-TransportRule -Identity $saved.Name -Confirm:$false; $done += ($saved.Id + '/remove') }
            }
            if ($saved.Created -and ($saved.Kind -eq 'TenantAllowBlockListSpoofItems')) {
                $have = Get-TenantAllowBlockListSpoofItems | Where-Object { $saved.Name -eq ($_.SpoofedUser + ', ' + $_.SendingInfrastructure + ', ' + $_.SpoofType) } | Select-Object -First 1
                if ($null -ne $have) { Remove-TenantAllowBlockListSpoofItems -Identity 'domain.com\Default' -Ids @($have.Identity) -Confirm:$false; $done += ($saved.Id + '/remove') }
            }
        }
        $state = @($state | Where-Object { $wantedIds -contains $_.Id })
        $saved = Get-Saved $state 'connection-filter'
        $stale = @(Get-Missing $saved.Added $add2)
        if ($stale.Count -ne 0) {
            $have = Get-HostedConnectionFilterPolicy -Identity 'Default'
            Set-HostedConnectionFilterPolicy -Identity 'Default' -IPAllowList @{ Remove = $stale }
            $state = @($state | Where-Object { $_.Id -ne 'connection-filter' })
            $state += @{ Id = 'connection-filter'; Kind = 'HostedConnectionFilterPolicy'; Name = 'Default'; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @(Get-Missing $saved.Added $stale) }
        }
        $saved = Get-Saved $state 'arc-trust'
        $stale = @(Get-Missing $saved.Added $add5)
        if ($stale.Count -ne 0) {
            $arc = Get-ArcConfig | Select-Object -First 1
            $have = @{ ArcTrustedSealers = @($arc.ArcTrustedSealers -split ',') }
            $keep = @(Get-Missing $have.ArcTrustedSealers $stale)
            if ($keep.Count -eq 0) { $keep = @(' ') }
            Set-ArcConfig -Identity 'Default' -ArcTrustedSealers $keep
            $state = @($state | Where-Object { $_.Id -ne 'arc-trust' })
            $state += @{ Id = 'arc-trust'; Kind = 'ArcConfig'; Name = 'Default'; Created = $false; Names = $saved.Names; Prior = $saved.Prior; Added = @(Get-Missing $saved.Added $stale) }
        }
        Save-State $state
        $have = Get-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark'
        if ($have.State -ne 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark'; $done += 'rule-strip-processed/enable' }
        $have = Get-TransportRule -Identity 'Trustifi Inbound Remove Key Header'
        if ($have.State -ne 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Remove Key Header'; $done += 'rule-strip-key/enable' }
        $have = Get-TransportRule -Identity 'Trustifi Inbound Relay'
        if ($have.State -ne 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Relay'; $done += 'rule-redirect/enable' }
        $have = Get-TransportRule -Identity 'Trustifi Inbound Bypass Clutter'
        if ($have.State -ne 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Bypass Clutter'; $done += 'rule-clutter/enable' }
    }
    if ($Mode -eq 'Rollback') {
        $saved = Get-Saved $state 'rule-redirect'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Relay' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if (($saved.Created -or ($saved.Prior.State -eq 'Disabled')) -and ($have.State -eq 'Enabled')) { Disable-TransportRule -Identity 'Trustifi Inbound Relay' -Confirm:$false; $done += 'rule-redirect/disable' }
        }

        # 11. rule-clutter
        Send-Step 'TransportRule Trustifi Inbound Bypass Clutter'
        $saved = Get-Saved $state 'rule-clutter'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Bypass Clutter' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' -Confirm:$false
            } else {
                $wanted = @{ State = 'Enabled' }
                foreach ($name in $want11.Keys) { $wanted[$name] = $want11[$name] }
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'rule-clutter' $saved $wanted $have)
                $turn = $back['State']
                $back.Remove('State')
                if ($back.Count -ne 0) { Set-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' @back }
                if ($turn -eq 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' }
                if ($turn -eq 'Disabled') { Disable-TransportRule -Identity 'Trustifi Inbound Bypass Clutter' -Confirm:$false }
            }
            $done += 'rule-clutter/rollback'
        }

        # 10. rule-redirect
        Send-Step 'TransportRule Trustifi Inbound Relay'
        $saved = Get-Saved $state 'rule-redirect'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Relay' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TransportRule -Identity 'Trustifi Inbound Relay' -Confirm:$false
            } else {
                $wanted = @{ State = 'Enabled' }
                foreach ($name in $want10.Keys) { $wanted[$name] = $want10[$name] }
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'rule-redirect' $saved $wanted $have)
                $turn = $back['State']
                $back.Remove('State')
                if ($back.Count -ne 0) { Set-TransportRule -Identity 'Trustifi Inbound Relay' @back }
                if ($turn -eq 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Relay' }
                if ($turn -eq 'Disabled') { Disable-TransportRule -Identity 'Trustifi Inbound Relay' -Confirm:$false }
            }
            $done += 'rule-redirect/rollback'
        }

        # 8. rule-strip-processed
        Send-Step 'TransportRule Trustifi Inbound Remove Processed Mark'
        $saved = Get-Saved $state 'rule-strip-processed'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Processed Mark' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' -Confirm:$false
            } else {
                $wanted = @{ State = 'Enabled' }
                foreach ($name in $want8.Keys) { $wanted[$name] = $want8[$name] }
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'rule-strip-processed' $saved $wanted $have)
                $turn = $back['State']
                $back.Remove('State')
                if ($back.Count -ne 0) { Set-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' @back }
                if ($turn -eq 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' }
                if ($turn -eq 'Disabled') { Disable-TransportRule -Identity 'Trustifi Inbound Remove Processed Mark' -Confirm:$false }
            }
            $done += 'rule-strip-processed/rollback'
        }

        # 9. rule-strip-key
        Send-Step 'TransportRule Trustifi Inbound Remove Key Header'
        $saved = Get-Saved $state 'rule-strip-key'
        $have = Get-TransportRule | Where-Object { $_.Name -eq 'Trustifi Inbound Remove Key Header' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TransportRule -Identity 'Trustifi Inbound Remove Key Header' -Confirm:$false
            } else {
                $wanted = @{ State = 'Enabled' }
                foreach ($name in $want9.Keys) { $wanted[$name] = $want9[$name] }
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'rule-strip-key' $saved $wanted $have)
                $turn = $back['State']
                $back.Remove('State')
                if ($back.Count -ne 0) { Set-TransportRule -Identity 'Trustifi Inbound Remove Key Header' @back }
                if ($turn -eq 'Enabled') { Enable-TransportRule -Identity 'Trustifi Inbound Remove Key Header' }
                if ($turn -eq 'Disabled') { Disable-TransportRule -Identity 'Trustifi Inbound Remove Key Header' -Confirm:$false }
            }
            $done += 'rule-strip-key/rollback'
        }

        # 7. outbound-connector
        Send-Step 'OutboundConnector Trustifi Inbound Connector (Send)'
        $saved = Get-Saved $state 'outbound-connector'
        $have = Get-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -ErrorAction SilentlyContinue
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' -Confirm:$false
            } else {
                $wanted = @{ IsValidated = $true; ValidationRecipients = @($mailbox); LastValidationTimestamp = $have.LastValidationTimestamp }
                foreach ($name in $want7.Keys) { $wanted[$name] = $want7[$name] }
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'outbound-connector' $saved $wanted $have)
                if ($back.Count -ne 0) { Set-OutboundConnector -Identity 'Trustifi Inbound Connector (Send)' @back }
            }
            $done += 'outbound-connector/rollback'
        }

        # 6. inbound-connector
        Send-Step 'InboundConnector Trustifi Inbound Connector (Receive)'
        $saved = Get-Saved $state 'inbound-connector'
        $have = Get-InboundConnector | Where-Object { $_.Name -eq 'Trustifi Inbound Connector (Receive)' } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-InboundConnector -Identity 'Trustifi Inbound Connector (Receive)' -Confirm:$false
            } else {
                $wanted = $want6
                $back = Get-Back $saved $wanted $have
                $foreign += @(Get-Foreign 'inbound-connector' $saved $wanted $have)
                if ($back.Count -ne 0) { Set-InboundConnector -Identity 'Trustifi Inbound Connector (Receive)' @back }
            }
            $done += 'inbound-connector/rollback'
        }

        # 3. spoof-internal-out.postern.example
        Send-Step 'TenantAllowBlockListSpoofItems *, out.postern.example, Internal'
        $saved = Get-Saved $state 'spoof-internal-out.postern.example'
        $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'Internal') } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TenantAllowBlockListSpoofItems -Identity 'domain.com\Default' -Ids @($have.Identity) -Confirm:$false
            } else {
                $back = Get-Back $saved $want3 $have
                if ($back.Count -ne 0) { Set-TenantAllowBlockListSpoofItems -Identity 'Default' -Ids @($have.Identity) @back }
            }
            $done += 'spoof-internal-out.postern.example/rollback'
        }

        # 4. spoof-external-out.postern.example
        Send-Step 'TenantAllowBlockListSpoofItems *, out.postern.example, External'
        $saved = Get-Saved $state 'spoof-external-out.postern.example'
        $have = Get-TenantAllowBlockListSpoofItems | Where-Object { ($_.SpoofedUser -eq '*') -and (@('out.postern.example') -contains $_.SendingInfrastructure) -and ($_.SpoofType -eq 'External') } | Select-Object -First 1
        if (($null -ne $saved) -and ($null -ne $have)) {
            if ($saved.Created) {
                Remove-TenantAllowBlockListSpoofItems -Identity 'domain.com\Default' -Ids @($have.Identity) -Confirm:$false
            } else {
                $back = Get-Back $saved $want4 $have
                if ($back.Count -ne 0) { Set-TenantAllowBlockListSpoofItems -Identity 'Default' -Ids @($have.Identity) @back }
            }
            $done += 'spoof-external-out.postern.example/rollback'
        }

        # 2. connection-filter
        Send-Step 'HostedConnectionFilterPolicy Default'
        $saved = Get-Saved $state 'connection-filter'
        $have = Get-HostedConnectionFilterPolicy -Identity 'Default'
        if (($null -ne $saved) -and ($null -ne $have)) {
            $back = Get-Back $saved $want2 $have
            $foreign += @(Get-Foreign 'connection-filter' $saved $want2 $have)
            if ($back.Count -ne 0) { Set-HostedConnectionFilterPolicy -Identity 'Default' @back }
            $keep = @(Get-Missing $have.IPAllowList $saved.Added)
            $gone = @(Get-Missing $have.IPAllowList $keep)
            if ($gone.Count -ne 0) { Set-HostedConnectionFilterPolicy -Identity 'Default' -IPAllowList @{ Remove = $gone } }
            $done += 'connection-filter/rollback'
        }

        # 5. arc-trust
        Send-Step 'ArcConfig Default'
        $saved = Get-Saved $state 'arc-trust'
        $arc = Get-ArcConfig | Select-Object -First 1
        $have = @{ ArcTrustedSealers = @($arc.ArcTrustedSealers -split ',') }
        if (($null -ne $saved) -and ($null -ne $have)) {
            $back = Get-Back $saved $want5 $have
            $foreign += @(Get-Foreign 'arc-trust' $saved $want5 $have)
            if ($back.Count -ne 0) { Set-ArcConfig -Identity 'Default' @back }
            $keep = @(Get-Missing $have.ArcTrustedSealers $saved.Added)
            $gone = @(Get-Missing $have.ArcTrustedSealers $keep)
            if ($keep.Count -eq 0) { $keep = @(' ') }
            if ($gone.Count -ne 0) { Set-ArcConfig -Identity 'Default' -ArcTrustedSealers $keep }
            $done += 'arc-trust/rollback'
        }

        # 1. remote-domain
        Send-Step 'RemoteDomain Default'
        $saved = Get-Saved $state 'remote-domain'
        $have = Get-RemoteDomain -Identity 'Default'
        if (($null -ne $saved) -and ($null -ne $have)) {
            $back = Get-Back $saved $want1 $have
            $foreign += @(Get-Foreign 'remote-domain' $saved $want1 $have)
            if ($back.Count -ne 0) { Set-RemoteDomain -Identity 'Default' @back }
            $done += 'remote-domain/rollback'
        }

        # Rules that were there before go back to their places
        $saved = Get-Saved $state 'order'
        if ($null -ne $saved) {
            $there = @(Get-TransportRule | ForEach-Object { $_.Name })
            $target = @($saved.Names | Where-Object { $there -contains $_ })
            $target = $target + @($there | Where-Object { -not ($target -contains $_) })
            $at = 0
            $steps = 0
            while (($at -lt $target.Count) -and ($steps -lt 1000)) {
                $steps = $steps + 1
                $now = @(Get-TransportRule | ForEach-Object { $_.Name })
                $to = 0
                if ($now[$at] -eq $target[$at]) {
                    $at = $at + 1
                } else {
                    if (@('Trustifi Inbound Remove Processed Mark', 'Trustifi Inbound Remove Key Header', 'Trustifi Inbound Relay', 'Trustifi Inbound Bypass Clutter') -contains $target[$at]) {
                        Set-TransportRule -Identity $target[$at] -Priority $at
                    } else {
                        while ($target[$to] -ne $now[$at]) { $to = $to + 1 }
                        Set-TransportRule -Identity $now[$at] -Priority $to
                    }
                }
            }
        }
        $state = @()
        Save-State $state
    }
    if ($Mode -ne 'Rollback') {
        $drift = @(Get-AllDrift)
    }
} catch {
    $problem = $_.Exception.Message
}
$ok = (($null -eq $problem) -and ($drift.Count -eq 0))
$report = @{ tenant = $tenant; mode = $Mode; ok = $ok; done = @($done); drift = @($drift); foreign = @($foreign); problem = $problem }
$json = $report | ConvertTo-Json -Depth 8
if ($telling) {
    try {
        Invoke-RestMethod -Method Post -Uri $ReportUrl -Headers @{ Authorization = "Bearer $reportKey" } -ContentType 'application/json' -Body $json | Out-Null
    } catch {
        Write-Warning 'The report could not be sent; upload it in Postern instead.'
    }
}
$json
if ($null -ne $problem) { throw $problem }

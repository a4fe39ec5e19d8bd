#Requires -Version 4.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Has this machine forward its events to the collector.

.DESCRIPTION
For one machine, or for a tool that runs scripts on many; where group policy does the same, it is not needed.
Each change that it makes is noted in the registry, under HKLM\SOFTWARE\windrow\Forwarding, and Remove-Forwarding.ps1
takes back those and no others. Run a second time, it changes nothing more.

.PARAMETER SecurityAccess
How NETWORK SERVICE, as which Windows forwards, gets to read the Security log. Channel: the log's own access list
gets an entry, beside what it has; counts at once. Group: it becomes a member of Event Log Readers; counts after
a restart of the machine. Both, or None.

.PARAMETER FirewallRule
Adds a rule that lets connections to the collector out. Needed only where the firewall refuses outgoing
connections, which it does not by default. Nothing ever connects to the machine.
#>
[CmdletBinding()]
param(
    [ValidateSet('Channel', 'Group', 'Both', 'None')]
    [string] $SecurityAccess = 'Channel',

    [switch] $FirewallRule
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'
$Server = ($Value -split ',')[0]
$Collector = '@NAME@'
$Port = [int] '@PORT@'
$Policy = 'HKLM:\@MANAGERS@'
$ReaderSid = 'S-1-5-20'
$GroupSid = 'S-1-5-32-573'
$Wevtutil = Join-Path -Path $env:SystemRoot -ChildPath 'System32\wevtutil.exe'

# include record.ps1

# The access list with one entry more: after those that are there, before an audit list.
function Add-Reader([string] $Sddl) {
    if ($Sddl -match '\(A;[^()]*;;;(NS|S-1-5-20)\)') { return $Sddl }
    if ($Sddl -notmatch '^(.*D:[^()]*(?:\([^()]*\))*)(S:.*)?$') { throw "This access list is of a form not known here: $Sddl" }
    $audit = ''
    if ($Matches.ContainsKey(2)) { $audit = $Matches[2] }
    $Matches[1] + "(A;;0x1;;;$ReaderSid)" + $audit
}

$group = (Get-AccountName -Sid $GroupSid) -replace '^.*\\', ''
$reader = Get-AccountName -Sid $ReaderSid
$isMember = @(& net.exe localgroup $group) -contains $reader
$access = Get-ChannelAccess
$service = Get-CimInstance -ClassName Win32_Service -Filter "Name='WinRM'"

if (-not (Test-Path -LiteralPath $Policy)) { New-Item -Path $Policy -Force | Out-Null }
if (-not (Test-Path -LiteralPath $Record)) { New-Item -Path $Record -Force | Out-Null }
$key = Get-Item -LiteralPath $Policy
$names = @($key.GetValueNames())
$name = $names | Where-Object { ([string] $key.GetValue($_)).StartsWith("$Server,", 'OrdinalIgnoreCase') } | Select-Object -First 1
if ($name) {
    $before = [string] $key.GetValue($name)
} else {
    $before = ''
    $number = 1
    while ($names -contains "$number") { $number++ }
    $name = "$number"
}
if ($before -cne $Value) {
    # What was there before the first change stays noted, and not what an earlier run has put there.
    if (-not $before -or $null -eq (Get-Note -Key $Record -Name 'Manager')) {
        Set-Note -Key $Record -Name 'Manager' -Value $name
        Set-Note -Key $Record -Name 'ManagerBefore' -Value $before
    }
    Set-ItemProperty -LiteralPath $Policy -Name $name -Value $Value
    Write-Output "SubscriptionManager, value ${name}: $Value"
}

if ($SecurityAccess -in 'Channel', 'Both') {
    $wanted = Add-Reader -Sddl $access
    if ($wanted -ne $access) {
        Set-Note -Key $Records -Name 'AddedToSecurityLog' -Value $ReaderSid
        & $Wevtutil sl Security "/ca:$wanted"
        if ($LASTEXITCODE -ne 0) { throw "wevtutil could not set who may read the Security log ($LASTEXITCODE)" }
        Write-Output "Security log: $reader may read it ($wanted)"
    }
    $byPolicy = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\EventLog\Security' -ErrorAction SilentlyContinue
    if ($byPolicy -and $byPolicy.PSObject.Properties['ChannelAccess']) {
        Write-Warning "A policy (Configure log access) sets who may read the Security log, and has the last word: $($byPolicy.ChannelAccess)"
    }
}
if ($SecurityAccess -in 'Group', 'Both' -and -not $isMember) {
    Set-Note -Key $Records -Name 'AddedToGroup' -Value $ReaderSid
    & net.exe localgroup $group $reader /add | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "$reader could not be made a member of $group ($LASTEXITCODE)" }
    Write-Output "${reader}: member of $group, which counts after a restart of this machine"
}

if ($FirewallRule -and -not (Get-NetFirewallRule -Name "windrow-forwarding-$Port" -ErrorAction SilentlyContinue)) {
    $rule = @{
        Name        = "windrow-forwarding-$Port"
        DisplayName = "Windows Event Forwarding to $Collector"
        Direction   = 'Outbound'
        Action      = 'Allow'
        Protocol    = 'TCP'
        RemotePort  = $Port
    }
    Set-Note -Key $Record -Name 'AddedRule' -Value $rule.Name
    New-NetFirewallRule @rule | Out-Null
    Write-Output "Firewall: connections to port $Port may go out"
}

if (-not $service.Started) { Set-Note -Key $Records -Name 'StoppedBefore' -Value 'yes' }
if ($service.StartMode -ne 'Auto') {
    Set-Note -Key $Records -Name 'StartBefore' -Value $service.StartMode
    Set-Service -Name WinRM -StartupType Automatic
    Write-Output 'WinRM: starts automatically'
}
# It forwards; a restart has it look at the policy at once.
Restart-Service -Name WinRM -Force
Write-Output 'WinRM: runs. Now: .\Test-Forwarding.ps1'

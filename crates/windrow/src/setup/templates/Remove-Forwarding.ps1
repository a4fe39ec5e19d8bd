#Requires -Version 4.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Takes back what Set-Forwarding.ps1 has changed on this machine for this collector.

.DESCRIPTION
By its notes in the registry, under HKLM\SOFTWARE\windrow\Forwarding: what was so before, or what somebody else has set, is
left alone. While other collectors are named on this machine, WinRM and who may read the Security log stay as they are, and
so do the notes: run it again when the last one is gone. Where there are no notes, only the line in the policy that names
the collector is removed.
#>
[CmdletBinding()]
param()

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'
$Server = ($Value -split ',')[0]
$Policy = 'HKLM:\@MANAGERS@'
$GroupSid = 'S-1-5-32-573'
$Wevtutil = Join-Path -Path $env:SystemRoot -ChildPath 'System32\wevtutil.exe'

# include record.ps1

# The collectors that the policy names: each value's name with what it says.
function Get-Manager {
    $managers = @{}
    if (Test-Path -LiteralPath $Policy) {
        $key = Get-Item -LiteralPath $Policy
        foreach ($name in @($key.GetValueNames())) {
            $says = [string] $key.GetValue($name)
            if ($says.StartsWith('Server=', 'OrdinalIgnoreCase')) { $managers[$name] = $says }
        }
    }
    $managers
}

# What answers as well when nothing is forwarded: a listener, which somebody has made for remote management.
function Test-Listener {
    if (Test-Path -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN\Listener\*') { return $true }
    (Get-Note -Key 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service' -Name 'AllowAutoConfig') -eq 1
}

$isNoted = Test-Path -LiteralPath $Record
$noted = Get-Note -Key $Record -Name 'Manager'
$before = [string] (Get-Note -Key $Record -Name 'ManagerBefore')
$managers = Get-Manager
foreach ($name in @($managers.Keys)) {
    if (-not $managers[$name].StartsWith("$Server,", 'OrdinalIgnoreCase')) { continue }
    if ($isNoted -and $name -ne $noted) {
        Write-Warning "SubscriptionManager, value ${name}: not set by Set-Forwarding.ps1, and left as it is"
    } elseif ($before.StartsWith("$Server,", 'OrdinalIgnoreCase')) {
        # Another form of the same line; what names anybody else is never put back.
        Set-ItemProperty -LiteralPath $Policy -Name $name -Value $before
        Write-Output "SubscriptionManager, value ${name}: as it was ($before)"
    } else {
        Remove-ItemProperty -LiteralPath $Policy -Name $name
        Write-Output "SubscriptionManager, value ${name}: removed"
    }
}

$rule = Get-Note -Key $Record -Name 'AddedRule'
if ($rule -and (Get-NetFirewallRule -Name $rule -ErrorAction SilentlyContinue)) {
    Remove-NetFirewallRule -Name $rule
    Write-Output 'Firewall: the rule is removed'
}
if ($isNoted) { Remove-Item -LiteralPath $Record -Recurse }

$left = @((Get-Manager).Values)
if ($left.Count -gt 0) {
    Restart-Service -Name WinRM -Force
    Write-Output "Collectors are named here: $($left -join '; '). For them WinRM and who may read the Security log stay as they are"
    return
}
if (-not (Test-Path -LiteralPath $Records)) {
    Restart-Service -Name WinRM -Force
    Write-Warning "There are no notes of Set-Forwarding.ps1: who may read the Security log, and how WinRM starts, are left as they are"
    return
}

if (Get-Note -Key $Records -Name 'AddedToSecurityLog') {
    $access = Get-ChannelAccess
    $without = $access -replace '\(A;;0x1;;;(NS|S-1-5-20)\)', ''
    if ($without -ne $access) {
        & $Wevtutil sl Security "/ca:$without"
        if ($LASTEXITCODE -ne 0) { throw "wevtutil could not set who may read the Security log ($LASTEXITCODE)" }
        Write-Output "Security log: the entry is taken out ($without)"
    }
}

if (Get-Note -Key $Records -Name 'AddedToGroup') {
    $group = (Get-AccountName -Sid $GroupSid) -replace '^.*\\', ''
    $reader = Get-AccountName -Sid 'S-1-5-20'
    if (@(& net.exe localgroup $group) -contains $reader) {
        & net.exe localgroup $group $reader /delete | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "$reader could not be taken out of $group ($LASTEXITCODE)" }
        Write-Output "${reader}: no longer a member of $group"
    }
}

$modes = @{ Manual = 'Manual'; Disabled = 'Disabled' }
$start = [string] (Get-Note -Key $Records -Name 'StartBefore')
$wasStopped = [bool] (Get-Note -Key $Records -Name 'StoppedBefore')
if (Test-Listener) {
    Restart-Service -Name WinRM -Force
    if ($start -or $wasStopped) { Write-Warning 'WinRM has a listener, so somebody manages this machine with it: it is left running, and starts automatically' }
} else {
    if ($modes.ContainsKey($start)) {
        Set-Service -Name WinRM -StartupType $modes[$start]
        Write-Output "WinRM: start $start, as before"
    }
    if ($wasStopped) { Stop-Service -Name WinRM -Force } else { Restart-Service -Name WinRM -Force }
}
Remove-Item -LiteralPath $Records -Recurse

#Requires -Version 4.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Takes back what Set-Forwarding.ps1 has changed on this machine.

.DESCRIPTION
From %ProgramData%\windrow\forwarding-before.json. Where that is missing, only the line in the policy that names the
collector is removed.
#>
[CmdletBinding()]
param()

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'
$Server = ($Value -split ',')[0]
$Policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager'
$ReaderSid = 'S-1-5-20'
$GroupSid = 'S-1-5-32-573'
$StateFile = Join-Path -Path $env:ProgramData -ChildPath 'windrow\forwarding-before.json'
$Wevtutil = Join-Path -Path $env:SystemRoot -ChildPath 'System32\wevtutil.exe'

function Get-AccountName([string] $Sid) {
    $identifier = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $Sid
    $identifier.Translate([System.Security.Principal.NTAccount]).Value
}

$state = $null
if (Test-Path -LiteralPath $StateFile) {
    $state = Get-Content -LiteralPath $StateFile -Raw -Encoding UTF8 | ConvertFrom-Json
}

if (Test-Path -LiteralPath $Policy) {
    $key = Get-Item -LiteralPath $Policy
    foreach ($name in @($key.GetValueNames())) {
        if (-not ([string] $key.GetValue($name)).StartsWith("$Server,", 'OrdinalIgnoreCase')) { continue }
        if ($state -and $state.value -and $state.valueName -eq $name) {
            Set-ItemProperty -LiteralPath $Policy -Name $name -Value $state.value
            Write-Output "SubscriptionManager, value ${name}: as it was ($($state.value))"
        } else {
            Remove-ItemProperty -LiteralPath $Policy -Name $name
            Write-Output "SubscriptionManager, value ${name}: removed"
        }
    }
}

$rule = Get-NetFirewallRule -Name 'windrow-forwarding' -ErrorAction SilentlyContinue
if ($rule) {
    $rule | Remove-NetFirewallRule
    Write-Output 'Firewall: the rule is removed'
}

if (-not $state) {
    Restart-Service -Name WinRM -Force
    Write-Warning "There is no ${StateFile}: who may read the Security log, and how WinRM starts, are left as they are"
    return
}

# Only if nobody has changed it since.
$line = & $Wevtutil gl Security | Where-Object { $_ -match '^channelAccess:' } | Select-Object -First 1
$access = ($line -replace '^channelAccess:\s*', '').Trim()
if (($access -replace '\(A;;0x1;;;(NS|S-1-5-20)\)', '') -eq $state.channelAccess -and $access -ne $state.channelAccess) {
    & $Wevtutil sl Security "/ca:$($state.channelAccess)"
    if ($LASTEXITCODE -ne 0) { throw "wevtutil could not set who may read the Security log ($LASTEXITCODE)" }
    Write-Output "Security log: read by whom it was before ($($state.channelAccess))"
} elseif ($access -ne $state.channelAccess) {
    Write-Warning "Who may read the Security log was changed by somebody else too and is left as it is: $access (before: $($state.channelAccess))"
}

if (-not $state.wasMember) {
    $group = (Get-AccountName -Sid $GroupSid) -replace '^.*\\', ''
    $reader = Get-AccountName -Sid $ReaderSid
    if (@(& net.exe localgroup $group) -contains $reader) {
        & net.exe localgroup $group $reader /delete | Out-Null
        if ($LASTEXITCODE -ne 0) { throw "$reader could not be taken out of $group ($LASTEXITCODE)" }
        Write-Output "${reader}: no longer a member of $group"
    }
}

$modes = @{ Auto = 'Automatic'; Manual = 'Manual'; Disabled = 'Disabled' }
Set-Service -Name WinRM -StartupType $modes[$state.startMode]
if ($state.started) { Restart-Service -Name WinRM -Force } else { Stop-Service -Name WinRM -Force }
Write-Output "WinRM: start $($modes[$state.startMode]), as before"
Remove-Item -LiteralPath $StateFile

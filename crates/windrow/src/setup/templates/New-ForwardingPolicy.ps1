#Requires -Version 4.0
#Requires -Modules GroupPolicy
<#
.SYNOPSIS
Makes the group policy object that has machines forward to the collector.

.DESCRIPTION
For a domain controller, or a machine with the group policy tools. It sets the subscription manager and that WinRM starts
automatically. Who may read the Security log is left to you: see group-policy.txt. To undo: Remove-GPO -Name NAME, and
on the machines gpupdate /force.

.PARAMETER Name
What the object is called.

.PARAMETER LinkTo
Organizational units to link it to, by distinguished name; none: link it yourself.
#>
[CmdletBinding()]
param(
    [string] $Name = 'Event forwarding to @NAME@',

    [string[]] $LinkTo = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'

if (Get-GPO -Name $Name -ErrorAction SilentlyContinue) { throw "There is a policy of this name: $Name" }
New-GPO -Name $Name -Comment 'Has machines forward their events to windrow.' | Out-Null
$manager = @{
    Name      = $Name
    Key       = 'HKLM\SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager'
    ValueName = '1'
    Type      = 'String'
    Value     = $Value
}
Set-GPRegistryValue @manager | Out-Null
$start = @{
    Name      = $Name
    Key       = 'HKLM\SYSTEM\CurrentControlSet\Services\WinRM'
    ValueName = 'Start'
    Type      = 'DWord'
    Value     = 2
}
Set-GPRegistryValue @start | Out-Null
foreach ($unit in $LinkTo) { New-GPLink -Name $Name -Target $unit | Out-Null }
Write-Output "$Name is made, linked to $($LinkTo.Count) organizational units. WinRM's start counts from a machine's next restart on."

#Requires -Version 4.0
#Requires -Modules GroupPolicy
<#
.SYNOPSIS
Makes the group policy object that has machines forward to the collector.

.DESCRIPTION
For a domain controller, or a machine with the group policy tools. It sets the subscription manager and that WinRM starts
automatically. Who may read the Security log is left to you: see group-policy.txt.

Two policies that set the same value of the list do not add up: one of them wins. So nothing is made where another policy has
that value already, as that of Windows' own collector usually has 1: take another with -ValueName.

To undo: Remove-GPO -Name NAME, and on the machines gpupdate /force. That takes the line away. How WinRM starts is no setting
that a policy takes back: it stays automatic on each machine until it is set otherwise, for example with
Set-Service -Name WinRM -StartupType Manual, as it is on workstations by default.

.PARAMETER Name
What the object is called.

.PARAMETER ValueName
The name of the value in the list of collectors: any number that no other policy for these machines uses.

.PARAMETER LinkTo
Organizational units to link it to, by distinguished name; none: link it yourself.
#>
[CmdletBinding()]
param(
    [string] $Name = 'Event forwarding to @NAME@ (@KIND@)',

    [ValidatePattern('^[1-9][0-9]{0,4}$')]
    [string] $ValueName = '1',

    [string[]] $LinkTo = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'
$Key = 'HKLM\@MANAGERS@'

if (Get-GPO -Name $Name -ErrorAction SilentlyContinue) { throw "There is a policy of this name: $Name" }
foreach ($policy in @(Get-GPO -All)) {
    $set = @(Get-GPRegistryValue -Guid $policy.Id -Key $Key -ErrorAction SilentlyContinue | Where-Object { $_.PSObject.Properties['ValueName'] -and $_.ValueName })
    foreach ($other in $set) {
        $says = ([string] $other.Value).Trim([char] 0)
        if ($other.ValueName -eq $ValueName) {
            throw "Nothing is made: the policy $($policy.DisplayName) sets value $ValueName already, to $says. Where both reach a machine, one would take the other's place: -ValueName takes another"
        }
        Write-Warning "The policy $($policy.DisplayName) sets value $($other.ValueName) to $says. One that was made in the console may replace the whole list: see on a machine, with Test-Forwarding.ps1, that both lines are there"
    }
}

New-GPO -Name $Name -Comment 'Has machines forward their events to windrow.' | Out-Null
$manager = @{
    Name      = $Name
    Key       = $Key
    ValueName = $ValueName
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
Write-Output "$Name is made, linked to $($LinkTo.Count) organizational units. WinRM's start counts from a machine's next restart on, and stays automatic when the policy is gone."
Write-Output 'What is left to you: who may read the Security log (group-policy.txt, 3)'

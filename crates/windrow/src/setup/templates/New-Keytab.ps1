#Requires -Version 4.0
#Requires -Modules ActiveDirectory
<#
.SYNOPSIS
Makes the accounts that the collector is in the domain, and the keytab with their keys.

.DESCRIPTION
For a domain controller, or a machine with the directory's tools and ktpass. Machines ask for tickets to HTTP/, those of
Windows Server 2025 to HOST/. Each name gets an account of its own: a key depends on the account's name, and each run
of ktpass on one account sets its password anew and raises the key's version (kvno), so two names on one account end
with one key that does not fit. AES 256 alone.

Run again with -Renew, it sets new passwords. Machines keep tickets of the old key for some ten hours, so give the collector
old and new keys together: with ktutil (rkt old, rkt new, wkt both).

.PARAMETER OutFile
The keytab. Whoever has it can be the collector: take it there over a safe way, and delete it here.

.PARAMETER Path
The organizational unit of the accounts; the default one for users when not given.

.PARAMETER Renew
Takes accounts that are there, and sets their passwords anew.

.PARAMETER Remove
Takes the accounts away, those of the two that are there.
#>
[CmdletBinding()]
param(
    [string] $OutFile = '.\windrow.keytab',

    [string] $Path,

    [switch] $Renew,

    [switch] $Remove
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Collector = '@NAME@'
$Realm = '@REALM@'
$Accounts = [ordered] @{ HTTP = 'windrow-http'; HOST = 'windrow-host' }

$domain = Get-ADDomain
if ($domain.DNSRoot -ne $Realm) { throw "This is the domain $($domain.DNSRoot), and the keytab is for $Realm" }
if ($Remove) {
    foreach ($account in $Accounts.Values) {
        $user = Get-ADUser -Filter "sAMAccountName -eq '$account'"
        if ($user) {
            Remove-ADUser -Identity $user -Confirm:$false
            Write-Output "$account is gone, and with it its name (SPN)"
        } else {
            Write-Output "There is no account $account"
        }
    }
    return
}

# All of it is looked at before anything is made: half of it would be in the way of the next run.
$users = @{}
$against = @()
if (Test-Path -LiteralPath $OutFile) { $against += "There is a file $OutFile" }
if (-not (Get-Command -Name ktpass.exe -ErrorAction SilentlyContinue)) { $against += 'ktpass is not here: it comes with the tools of Active Directory Domain Services' }
foreach ($service in $Accounts.Keys) {
    $account = $Accounts[$service]
    $spn = "$service/$Collector"
    $holders = @(Get-ADObject -LDAPFilter "(servicePrincipalName=$spn)" -Properties sAMAccountName | Where-Object { $_.sAMAccountName -ne $account })
    if ($holders.Count -gt 0) {
        $against += "$spn belongs to $(@($holders | ForEach-Object { $_.DistinguishedName }) -join ' and to '). If that is the collector's own machine account, no accounts are needed: run adcli update --service-name=HTTP --service-name=HOST on the collector, and name /etc/krb5.keytab as its keytab. If it is an old one: setspn -D $spn ACCOUNT"
    }
    $users[$service] = Get-ADUser -Filter "sAMAccountName -eq '$account'"
    if ($users[$service] -and -not $Renew) { $against += "There is an account ${account}: -Renew takes it, and sets a new password" }
}
if ($against.Count -gt 0) { throw "Nothing was made. $($against -join '. ')" }

foreach ($service in $Accounts.Keys) {
    $account = $Accounts[$service]
    $spn = "$service/$Collector"
    if (-not $users[$service]) {
        # Without a password it is made disabled; ktpass sets one that nobody knows.
        $new = @{
            Name                   = $account
            SamAccountName         = $account
            Description            = "windrow, collector of event logs, as $spn"
            KerberosEncryptionType = 'AES256'
            PasswordNeverExpires   = $true
            CannotChangePassword   = $true
            Enabled                = $false
        }
        if ($Path) { $new['Path'] = $Path }
        New-ADUser @new
    }
    $arguments = @('/princ', "$spn@$Realm", '/mapuser', "$($domain.NetBIOSName)\$account", '/crypto', 'AES256-SHA1', '/ptype', 'KRB5_NT_PRINCIPAL', '+rndPass', '+answer', '/out', $OutFile)
    if (Test-Path -LiteralPath $OutFile) { $arguments += @('/in', $OutFile) }
    & ktpass.exe $arguments
    if ($LASTEXITCODE -ne 0) { throw "ktpass failed for $spn ($LASTEXITCODE). Delete $OutFile; then -Renew takes the accounts that are made, and -Remove takes them away" }
    Enable-ADAccount -Identity $account
    # ktpass writes the account's user principal name, and may leave other encryptions on.
    Set-ADUser -Identity $account -KerberosEncryptionType AES256
    $kvno = (Get-ADUser -Identity $account -Properties 'msDS-KeyVersionNumber').'msDS-KeyVersionNumber'
    Write-Output "${spn}: account $account, AES 256, kvno $kvno; klist -k on the collector has to show the same"
}
& setspn.exe -X
Write-Output "Take $OutFile to the collector, where only the service may read it, and delete it here"

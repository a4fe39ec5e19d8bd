#Requires -Version 4.0
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Says of each step from this machine to the collector whether it holds, and what helps where it does not.

.DESCRIPTION
Changes nothing. OK: it holds. LOOK: it may be meant so. FAIL: no event arrives before this is mended. The exit code is
the number of steps that failed. On the collector, windrow check --live shows the other side.
#>
[CmdletBinding()]
param()

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Value = '@VALUE@'
$Server = ($Value -split ',')[0]
$Scheme = '@SCHEME@'
$Collector = '@NAME@'
$Port = [int] '@PORT@'
$Issuer = '@THUMBPRINT@'
$Realm = '@REALM@'
$Policy = 'HKLM:\@MANAGERS@'
$Log = 'Microsoft-Windows-Forwarding/Operational'
$Meanings = @{
    100 = 'a subscription was taken'
    101 = 'a subscription was taken, but a channel in it could not be read'
    102 = 'a subscription could not be taken'
    103 = 'a subscription has ended'
    104 = 'connected to the collector'
    105 = 'the collector cannot be talked to'
    106 = 'the policy has changed'
    107 = 'the line in the policy is wrong'
}
$script:Failed = 0

function Write-Verdict([string] $Verdict, [string] $What, [string] $Cure = '') {
    if ($Verdict -eq 'FAIL') { $script:Failed++ }
    $color = @{ OK = 'Green'; LOOK = 'Yellow'; FAIL = 'Red' }[$Verdict]
    Write-Host ('{0,-5}' -f $Verdict) -ForegroundColor $color -NoNewline
    Write-Host $What
    if ($Cure) { Write-Host "     -> $Cure" }
}

function Get-AccountName([string] $Sid) {
    $identifier = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $Sid
    $identifier.Translate([System.Security.Principal.NTAccount]).Value
}

# include key-file.ps1

function Test-Service {
    $service = Get-CimInstance -ClassName Win32_Service -Filter "Name='WinRM'"
    if ($service.State -ne 'Running') {
        Write-Verdict -Verdict FAIL -What "WinRM is $($service.State)" -Cure 'Set-Service WinRM -StartupType Automatic; Start-Service WinRM'
    } elseif ($service.StartMode -ne 'Auto') {
        Write-Verdict -Verdict LOOK -What "WinRM runs, and its start is $($service.StartMode): not after a restart" -Cure 'Set-Service WinRM -StartupType Automatic'
    } else {
        Write-Verdict -Verdict OK -What 'WinRM runs, and starts automatically'
    }
}

function Test-Manager {
    $found = @()
    if (Test-Path -LiteralPath $Policy) {
        $key = Get-Item -LiteralPath $Policy
        $found = @($key.GetValueNames() | ForEach-Object { [string] $key.GetValue($_) })
    }
    $near = @($found | Where-Object { $_.StartsWith("$Server,", 'OrdinalIgnoreCase') })
    if ($found -ccontains $Value) {
        Write-Verdict -Verdict OK -What "The subscription manager is set: $Value"
    } elseif ($near.Count -gt 0) {
        Write-Verdict -Verdict LOOK -What "The subscription manager is set otherwise: $($near[0])" -Cure "meant is $Value"
    } elseif ($found.Count -gt 0) {
        Write-Verdict -Verdict FAIL -What "The subscription manager names others: $($found -join '; ')" -Cure "add $Value"
    } else {
        Write-Verdict -Verdict FAIL -What 'No subscription manager is set' -Cure 'gpupdate /force where group policy sets it; gpresult /h report.html says which policies count'
    }
}

function Test-Way {
    try {
        $addresses = @([System.Net.Dns]::GetHostAddresses($Collector) | ForEach-Object { $_.IPAddressToString })
        Write-Verdict -Verdict OK -What "$Collector is $($addresses -join ', ')"
    } catch {
        Write-Verdict -Verdict FAIL -What "$Collector has no address" -Cure 'add it to the DNS that this machine asks'
        return $false
    }
    $answer = Test-NetConnection -ComputerName $Collector -Port $Port -WarningAction SilentlyContinue
    if ($answer.TcpTestSucceeded) {
        Write-Verdict -Verdict OK -What "Port $Port answers"
        return $true
    }
    Write-Verdict -Verdict FAIL -What "Port $Port does not answer" -Cure 'on the collector: windrow check --live. Between: firewalls. Here: outgoing connections may be refused (Set-Forwarding.ps1 -FirewallRule)'
    return $false
}

# The certificate by which the collector is to know this machine; nothing where there is none.
function Test-Certificate {
    $authority = @('Root', 'CA') | ForEach-Object { Get-ChildItem -Path "Cert:\LocalMachine\$_" } | Where-Object { $_.Thumbprint -eq $Issuer } | Select-Object -First 1
    if (-not $authority) {
        Write-Verdict -Verdict FAIL -What "The authority $Issuer is not among the trusted ones of this machine" -Cure 'import machines-authority.cer, or authority.cer where that is the only one, into Cert:\LocalMachine\Root'
        return $null
    }
    Write-Verdict -Verdict OK -What "Trusted authority: $($authority.Subject)"
    $own = @(Get-ChildItem -Path Cert:\LocalMachine\My | Where-Object { $_.Issuer -eq $authority.Subject })
    $usable = @($own | Where-Object {
            $usages = @($_.EnhancedKeyUsageList | ForEach-Object { $_.ObjectId })
            $_.HasPrivateKey -and $_.NotAfter -gt (Get-Date) -and $_.NotBefore -lt (Get-Date) -and ($usages.Count -eq 0 -or $usages -contains '1.3.6.1.5.5.7.3.2')
        } | Sort-Object -Property NotAfter -Descending)
    if ($usable.Count -eq 0) {
        Write-Verdict -Verdict FAIL -What "$($own.Count) certificates of this authority, none with a private key, valid today and for client authentication" -Cure 'import the PFX of this machine (Import-ClientCertificate.ps1), or have it enrolled'
        return $null
    }
    $certificate = $usable[0]
    Write-Verdict -Verdict OK -What "Certificate: $($certificate.Subject), until $($certificate.NotAfter.ToString('yyyy-MM-dd'))"
    $file = Get-KeyFile -Certificate $certificate
    $reader = Get-AccountName -Sid 'S-1-5-20'
    $entries = @()
    if ($file) { $entries = @((Get-Acl -LiteralPath $file).Access | Where-Object { $_.IdentityReference.Value -eq $reader }) }
    if (-not $file) {
        Write-Verdict -Verdict LOOK -What 'The file of its private key was not found' -Cure "certlm.msc, All Tasks, Manage Private Keys: $reader needs to read it"
    } elseif ($entries.Count -gt 0) {
        Write-Verdict -Verdict OK -What "$reader may read its private key"
    } else {
        Write-Verdict -Verdict FAIL -What "$reader may not read its private key" -Cure "icacls '$file' /grant *S-1-5-20:R"
    }
    $certificate
}

function Test-Handshake($Certificate) {
    $script:Seen = $null
    $client = New-Object -TypeName System.Net.Sockets.TcpClient
    try {
        $client.Connect($Collector, $Port)
        $look = {
            param($Asked, $Shown, $Chain, $Errors)
            $script:Seen = "$Errors"
            $true
        }
        $check = [System.Net.Security.RemoteCertificateValidationCallback] $look
        $stream = New-Object -TypeName System.Net.Security.SslStream -ArgumentList @($client.GetStream(), $false, $check)
        $certificates = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509CertificateCollection
        if ($Certificate) { $certificates.Add($Certificate) | Out-Null }
        $stream.AuthenticateAsClient($Collector, $certificates, [System.Security.Authentication.SslProtocols]::Tls12, $false)
        Write-Verdict -Verdict OK -What "TLS: the collector takes this certificate ($($stream.SslProtocol))"
    } catch {
        Write-Verdict -Verdict FAIL -What "TLS: $($_.Exception.GetBaseException().Message)" -Cure 'windrow status on the collector counts whom it refuses, and why; its log names the machine'
    } finally {
        $client.Close()
    }
    if ($script:Seen -eq 'None') {
        Write-Verdict -Verdict OK -What "This machine believes the collector's certificate"
    } elseif ($script:Seen) {
        Write-Verdict -Verdict FAIL -What "This machine does not believe the collector's certificate: $($script:Seen)" -Cure "RemoteCertificateChainErrors: its authority is not trusted here; RemoteCertificateNameMismatch: it is not for $Collector"
    }
    $allowed = Get-Item -LiteralPath WSMan:\localhost\Client\Auth\Certificate
    if ($allowed.Value -ne 'true') { Write-Verdict -Verdict FAIL -What 'WinRM may not use certificates as a client' -Cure 'Set-Item WSMan:\localhost\Client\Auth\Certificate $true, or the policy that forbids it' }
}

function Test-Ticket {
    $computer = Get-CimInstance -ClassName Win32_ComputerSystem
    if (-not $computer.PartOfDomain) {
        Write-Verdict -Verdict FAIL -What 'This machine is in no domain, and has no ticket to show' -Cure 'have it use a certificate: the other folder'
        return
    }
    if ($computer.Domain -eq $Realm) {
        Write-Verdict -Verdict OK -What "Member of $($computer.Domain)"
    } else {
        Write-Verdict -Verdict LOOK -What "Member of $($computer.Domain), and the collector is in $Realm" -Cure 'that needs a trust between the two'
    }
    # Windows Server 2025 asks for HOST/ by default, others for HTTP/. 0x3e7 is the machine's own logon: whoever runs this may
    # have no tickets, or better ones.
    $build = [int] (Get-CimInstance -ClassName Win32_OperatingSystem).BuildNumber
    $own = @{}
    foreach ($service in 'HTTP', 'HOST') {
        $said = @(& klist.exe -li 0x3e7 get "$service/$Collector") -join ' '
        $own[$service] = $LASTEXITCODE -eq 0 -and $said -notmatch '0x[0-9a-f]+/-'
    }
    if (-not ($own['HTTP'] -or $own['HOST']) -and (@(& klist.exe -li 0x3e7) -join ' ') -notmatch 'krbtgt/') {
        Write-Verdict -Verdict FAIL -What 'This machine itself has no ticket of its domain (klist -li 0x3e7)' -Cure 'Test-ComputerSecureChannel -Verbose says whether the domain knows it; a domain controller has to be in reach, and this clock right to within five minutes'
        return
    }
    foreach ($service in 'HTTP', 'HOST') {
        $needed = ($service -eq 'HOST') -eq ($build -ge 26100)
        if ($own[$service]) {
            Write-Verdict -Verdict OK -What "The domain gives this machine tickets to $service/$Collector"
        } elseif ($needed) {
            Write-Verdict -Verdict FAIL -What "The domain gives this machine no ticket to $service/$Collector" -Cure "setspn -Q $service/$Collector has to name one account: New-Keytab.ps1 makes it. And this clock has to be right to within five minutes"
        } else {
            Write-Verdict -Verdict LOOK -What "The domain gives this machine no ticket to $service/$Collector; this Windows asks for the other one" -Cure 'New-Keytab.ps1 makes both'
        }
    }
}

function Test-SecurityLog {
    $group = (Get-AccountName -Sid 'S-1-5-32-573') -replace '^.*\\', ''
    $reader = Get-AccountName -Sid 'S-1-5-20'
    $isMember = @(& net.exe localgroup $group) -contains $reader
    $wevtutil = Join-Path -Path $env:SystemRoot -ChildPath 'System32\wevtutil.exe'
    $access = [string] (& $wevtutil gl Security | Where-Object { $_ -match '^channelAccess:' } | Select-Object -First 1)
    if ($access -match '\(A;[^()]*;;;(NS|S-1-5-20)\)') {
        Write-Verdict -Verdict OK -What "$reader may read the Security log, by its access list"
    } elseif ($isMember) {
        Write-Verdict -Verdict OK -What "$reader may read the Security log, as a member of ${group}: since the restart after it became one"
    } else {
        Write-Verdict -Verdict FAIL -What "$reader may not read the Security log" -Cure 'Set-Forwarding.ps1, or group-policy.txt'
    }
}

# How long ago, in the largest unit that fits.
function Get-Age([datetime] $Time) {
    $age = (Get-Date) - $Time
    if ($age.TotalDays -ge 2) { return "$([int] $age.TotalDays) days ago" }
    if ($age.TotalHours -ge 2) { return "$([int] $age.TotalHours) hours ago" }
    "$([int] $age.TotalMinutes) minutes ago"
}

function Test-Log {
    $seen = 0
    # The newest of each question, in the order in which they are decided. However old: where nothing changes, nothing is
    # written.
    foreach ($ids in @((106, 107), (104, 105), (100, 101, 102, 103))) {
        $newest = Get-WinEvent -FilterHashtable @{ LogName = $Log; Id = $ids } -MaxEvents 1 -ErrorAction SilentlyContinue | Select-Object -First 1
        if (-not $newest) { continue }
        $seen++
        $verdict = @{ 100 = 'OK'; 104 = 'OK'; 106 = 'OK'; 101 = 'LOOK'; 103 = 'LOOK' }[$newest.Id]
        if (-not $verdict) { $verdict = 'FAIL' }
        $words = "$($newest.TimeCreated.ToString('yyyy-MM-dd HH:mm:ss')), $(Get-Age -Time $newest.TimeCreated), event $($newest.Id): $($Meanings[$newest.Id])"
        if ($verdict -eq 'OK') { Write-Verdict -Verdict OK -What $words } else { Write-Verdict -Verdict $verdict -What $words -Cure $newest.Message }
    }
    if ($seen -eq 0) {
        Write-Verdict -Verdict FAIL -What "$Log has nothing: forwarding has never tried" -Cure 'Restart-Service WinRM, then wait as long as Refresh says'
    }
}

Write-Host "From $env:COMPUTERNAME to $Scheme`://${Collector}:$Port"
Test-Service
Test-Manager
$answers = Test-Way
if ($Scheme -eq 'https') {
    $certificate = Test-Certificate
    if ($answers) { Test-Handshake -Certificate $certificate }
} else {
    Test-Ticket
}
Test-SecurityLog
Test-Log
Write-Host "$($script:Failed) failed"
exit $script:Failed

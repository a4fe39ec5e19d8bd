#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Takes this machine's certificate out of its PFX file, and the collector's authority with it.

.DESCRIPTION
The certificate goes to the machine's own store (Cert:\LocalMachine\My), its key cannot be exported again, and NETWORK
SERVICE, as which Windows forwards, may read it. The authority goes to the trusted ones, so that the machine believes
the collector. Delete the PFX and its password afterwards.

.PARAMETER Pfx
The file of this machine, such as ws01.example.com.pfx.

.PARAMETER PasswordFile
The file with its password; asked for when not given.

.PARAMETER Remove
Takes certificate, key and authority away again.
#>
[CmdletBinding(DefaultParameterSetName = 'Import')]
param(
    [Parameter(Mandatory, ParameterSetName = 'Import')]
    [string] $Pfx,

    [Parameter(ParameterSetName = 'Import')]
    [string] $PasswordFile,

    [Parameter(Mandatory, ParameterSetName = 'Remove')]
    [switch] $Remove
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Issuer = '@THUMBPRINT@'
$AuthorityFile = Join-Path -Path $PSScriptRoot -ChildPath 'authority.cer'
$ReaderSid = 'S-1-5-20'

# include key-file.ps1

$authority = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $AuthorityFile
if ($authority.Thumbprint -ne $Issuer) { throw "$AuthorityFile is not the collector's authority ($Issuer), but $($authority.Thumbprint)" }

if ($Remove) {
    Get-ChildItem -Path Cert:\LocalMachine\My | Where-Object { $_.Issuer -eq $authority.Subject } | ForEach-Object {
        Write-Output "Removed: $($_.Subject), $($_.Thumbprint), and its key"
        Remove-Item -LiteralPath $_.PSPath -DeleteKey
    }
    if (Test-Path -LiteralPath "Cert:\LocalMachine\Root\$Issuer") {
        Remove-Item -LiteralPath "Cert:\LocalMachine\Root\$Issuer"
        Write-Output "Removed from the trusted authorities: $($authority.Subject)"
    }
    return
}

if ($PasswordFile) {
    $password = ConvertTo-SecureString -String (Get-Content -LiteralPath $PasswordFile -TotalCount 1) -AsPlainText -Force
} else {
    $password = Read-Host -Prompt "Password of $Pfx" -AsSecureString
}
Import-Certificate -FilePath $AuthorityFile -CertStoreLocation Cert:\LocalMachine\Root | Out-Null
Write-Output "Trusted authority: $($authority.Subject), $Issuer"

$certificate = Import-PfxCertificate -FilePath $Pfx -Password $password -CertStoreLocation Cert:\LocalMachine\My |
    Where-Object { $_.HasPrivateKey } | Select-Object -First 1
Write-Output "Certificate: $($certificate.Subject), $($certificate.Thumbprint), until $($certificate.NotAfter.ToString('yyyy-MM-dd'))"

$file = Get-KeyFile -Certificate $certificate
if (-not $file) { throw 'The file of the private key was not found: give NETWORK SERVICE read access by hand (certlm.msc, All Tasks, Manage Private Keys)' }
& icacls.exe $file /grant "*${ReaderSid}:R" | Out-Null
if ($LASTEXITCODE -ne 0) { throw "NETWORK SERVICE could not be given read access to $file ($LASTEXITCODE)" }
Write-Output 'NETWORK SERVICE may read its key'
Write-Output "Now delete $Pfx and its password, and run .\Set-Forwarding.ps1"

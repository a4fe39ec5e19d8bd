# What Set-Forwarding.ps1 has changed on this machine, and nothing else: Remove-Forwarding.ps1 takes back what stands here. In
# the machine's part of the registry, where administrators alone write: whoever could write it would decide what an
# administrator puts back. $Record is of this collector, $Records of what all collectors share.
$Records = 'HKLM:\SOFTWARE\windrow\Forwarding'
$Record = Join-Path -Path $Records -ChildPath '@SCHEME@ @NAME@ @PORT@'
if ([Environment]::Is64BitOperatingSystem -and -not [Environment]::Is64BitProcess) { throw 'Run this in the 64 bit PowerShell: the other one has a registry of its own' }

function Get-Note([string] $Key, [string] $Name) {
    if (-not (Test-Path -LiteralPath $Key)) { return $null }
    (Get-Item -LiteralPath $Key).GetValue($Name)
}

function Set-Note([string] $Key, [string] $Name, [string] $Value) {
    New-ItemProperty -LiteralPath $Key -Name $Name -Value $Value -PropertyType String -Force | Out-Null
}

# Names of accounts differ with the language of Windows; their identifiers do not.
function Get-AccountName([string] $Sid) {
    $identifier = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $Sid
    $identifier.Translate([System.Security.Principal.NTAccount]).Value
}

function Get-ChannelAccess {
    $line = & $Wevtutil gl Security | Where-Object { $_ -match '^channelAccess:' } | Select-Object -First 1
    if (-not $line) { throw 'wevtutil does not say who may read the Security log' }
    ($line -replace '^channelAccess:\s*', '').Trim()
}

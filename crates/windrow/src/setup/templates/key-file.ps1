# The file of a certificate's private key, wherever Windows keeps it.
function Get-KeyFile($Certificate) {
    $key = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
    if (-not $key) { $key = [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($Certificate) }
    if (-not $key) { return $null }
    if ($key.PSObject.Properties['CspKeyContainerInfo']) { $name = $key.CspKeyContainerInfo.UniqueKeyContainerName } else { $name = $key.Key.UniqueName }
    foreach ($folder in 'Keys', 'RSA\MachineKeys', 'SystemKeys') {
        $file = Join-Path -Path $env:ProgramData -ChildPath "Microsoft\Crypto\$folder\$name"
        if (Test-Path -LiteralPath $file) { return $file }
    }
    $null
}

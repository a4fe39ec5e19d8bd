# The file of a certificate's private key, wherever Windows keeps it. What finds keys of every kind came with .NET 4.6; before
# that, those of the older kind are found, which is what a machine of that age has.
function Get-KeyFile($Certificate) {
    $name = $null
    if ('System.Security.Cryptography.X509Certificates.RSACertificateExtensions' -as [type]) {
        $key = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
        if (-not $key) { $key = [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($Certificate) }
        if (-not $key) { return $null }
        if ($key.PSObject.Properties['CspKeyContainerInfo']) { $name = $key.CspKeyContainerInfo.UniqueKeyContainerName } else { $name = $key.Key.UniqueName }
    } else {
        try { $name = $Certificate.PrivateKey.CspKeyContainerInfo.UniqueKeyContainerName } catch { return $null }
    }
    if (-not $name) { return $null }
    foreach ($folder in 'Keys', 'RSA\MachineKeys', 'SystemKeys') {
        $file = Join-Path -Path $env:ProgramData -ChildPath "Microsoft\Crypto\$folder\$name"
        if (Test-Path -LiteralPath $file) { return $file }
    }
    $null
}

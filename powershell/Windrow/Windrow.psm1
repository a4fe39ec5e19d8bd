# The syslog client of a windrow collector, administered from another machine: the cmdlets of Azure Stack's privileged endpoint,
# speaking HTTPS to windrow's. For Windows PowerShell 5.1 and PowerShell 7; nothing else has to be installed.
#
# What each cmdlet sends stands in Requests.json, which windrow's own tests send to a real endpoint. A password and a PFX are
# never in a string, and what holds them here is wiped when they were sent; what .NET copies while it sends is its own.
# ASCII only: Windows PowerShell 5.1 reads files without a mark in the language of the machine.
#
# NOT RUN: the continuous integration parses this module and sends its requests, as Requests.json has them, to a real endpoint. It
# does not run it on a real PowerShell. tests/Windrow.Tests.ps1 is for Pester, where there is one.

Set-StrictMode -Version 2.0

if (-not ('Windrow.EndpointTrust' -as [type])) {
    Add-Type -Path (Join-Path -Path $PSScriptRoot -ChildPath 'EndpointTrust.cs')
}

$script:Requests = Get-Content -LiteralPath (Join-Path -Path $PSScriptRoot -ChildPath 'Requests.json') -Raw | ConvertFrom-Json
$script:Connection = $null

# Milliseconds that an answer may take: a change ends the old sender in good order first.
$script:TimeoutMs = 60000

<#
.SYNOPSIS
Says which windrow the other cmdlets administer, and who asks.

.DESCRIPTION
Checks the endpoint's certificate and asks for the status once, so that a wrong name, token or certificate shows here. What is
given is kept in this PowerShell session and nowhere else.

The endpoint is believed when an authority of this machine has issued its certificate; with -CaFile when one in that file has;
with -Fingerprint when it is that certificate. There is no way to believe any.

.PARAMETER Endpoint
https://HOST:PORT, as [admin] listen in windrow.toml has it.

.PARAMETER Token
A token of `windrow admin token add`.

.PARAMETER Certificate
A certificate with its private key, out of the store Cert: say, instead of a token. Its name needs a role in
[admin.certificates].

.PARAMETER CaFile
Authorities of the endpoint's certificate, in PEM.

.PARAMETER Fingerprint
The SHA-256 of the endpoint's certificate, with or without colons.

.EXAMPLE
Connect-WindrowEndpoint -Endpoint https://collector.example.com:9443 -Token (Read-Host -AsSecureString -Prompt Token)

.EXAMPLE
Connect-WindrowEndpoint -Endpoint https://collector.example.com:9443 -Certificate (Get-Item Cert:\CurrentUser\My\0A1B...) -CaFile site-ca.pem
#>
function Connect-WindrowEndpoint {
    [CmdletBinding(DefaultParameterSetName = 'Token')]
    param(
        [Parameter(Mandatory = $true, Position = 0)]
        [Uri] $Endpoint,

        [Parameter(Mandatory = $true, ParameterSetName = 'Token')]
        [System.Security.SecureString] $Token,

        [Parameter(Mandatory = $true, ParameterSetName = 'Certificate')]
        [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate,

        [string] $CaFile,

        [string] $Fingerprint
    )

    if (-not $Endpoint.IsAbsoluteUri -or $Endpoint.Scheme -ne 'https' -or $Endpoint.PathAndQuery -ne '/' -or $Endpoint.UserInfo) {
        throw "$Endpoint is no endpoint: expected one such as https://collector.example.com:9443"
    }
    if ($CaFile -and $Fingerprint) {
        throw 'Give -CaFile or -Fingerprint: a certificate that is known needs no authority.'
    }
    $digest = $null
    if ($Fingerprint) {
        $digest = ConvertFrom-Fingerprint -Text $Fingerprint
    }
    $authorities = $null
    if ($CaFile) {
        $authorities = Read-Authority -Path $CaFile
    }
    $script:Connection = @{
        Endpoint    = $Endpoint
        Token       = $Token
        Certificate = $Certificate
        Trust       = New-Object -TypeName Windrow.EndpointTrust -ArgumentList $digest, $authorities
        Group       = [Guid]::NewGuid().ToString()
    }
    try {
        $null = Send-Request -Method 'GET' -Path '/v1/status' -Body $null
    }
    catch {
        $script:Connection = $null
        throw
    }
}

<#
.SYNOPSIS
Ends the session: the other cmdlets administer nothing until Connect-WindrowEndpoint says what.

.EXAMPLE
Disconnect-WindrowEndpoint
#>
function Disconnect-WindrowEndpoint {
    [CmdletBinding()]
    param()

    if ($null -ne $script:Connection) {
        $point = [System.Net.ServicePointManager]::FindServicePoint($script:Connection.Endpoint)
        $null = $point.CloseConnectionGroup($script:Connection.Group)
        $script:Connection = $null
    }
}

<#
.SYNOPSIS
Sets where events go as CEF over syslog, all of it: what is not said has its default. With -Remove it takes that away.

.DESCRIPTION
TCP with TLS 1.2 or higher and a check of the receiver's certificate and name is the default. The weaker ways are for tests, and
are warned of each time. Within a second it is in force; what cannot be used is refused, and the old setting stays.

What the destination had and is not given again is back at its default, and a warning says which and from what value.

.PARAMETER ServerName
FQDN or IP address of the syslog server.

.PARAMETER ServerPort
Its port: 6514 for TCP with and without TLS, 514 for UDP, when not given.

.PARAMETER NoEncryption
Send in clear text over TCP.

.PARAMETER SkipCertificateCheck
Look at nothing in the receiver's certificate. -Fingerprint is as easy, and safe.

.PARAMETER SkipCNCheck
Do not look at the name in the receiver's certificate: for a server that is given by its IP address.

.PARAMETER UseUDP
Send over UDP, always in clear text.

.PARAMETER OutputSeverity
Verbose sends everything, as without it. Default sends warnings, errors, critical events, audit failures and what matters
whatever its level.

.PARAMETER Fingerprint
The SHA-256 of the receiver's certificate, which then has to be that one.

.PARAMETER CaFile
The authorities of the receiver's certificate, as a file on the collector.

.PARAMETER Name
Which destination, where there are several. With -Remove the only one there is, when not given.

.PARAMETER Remove
Remove the destination, and with it what was not delivered to it yet.

.EXAMPLE
Set-SyslogServer -ServerName siem.example.com

.EXAMPLE
Set-SyslogServer -ServerName 192.0.2.7 -SkipCNCheck

.EXAMPLE
Set-SyslogServer -Remove
#>
function Set-SyslogServer {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Set')]
    param(
        [Parameter(Mandatory = $true, ParameterSetName = 'Set')]
        [ValidateNotNullOrEmpty()]
        [string] $ServerName,

        [Parameter(ParameterSetName = 'Set')]
        [UInt16] $ServerPort,

        [Parameter(ParameterSetName = 'Set')]
        [switch] $NoEncryption,

        [Parameter(ParameterSetName = 'Set')]
        [switch] $SkipCertificateCheck,

        [Parameter(ParameterSetName = 'Set')]
        [switch] $SkipCNCheck,

        [Parameter(ParameterSetName = 'Set')]
        [switch] $UseUDP,

        [Parameter(ParameterSetName = 'Set')]
        [ValidateSet('Default', 'Verbose')]
        [string] $OutputSeverity,

        [Parameter(ParameterSetName = 'Set')]
        [string] $Fingerprint,

        [Parameter(ParameterSetName = 'Set')]
        [string] $CaFile,

        [string] $Name,

        [Parameter(Mandatory = $true, ParameterSetName = 'Remove')]
        [switch] $Remove
    )

    $cmdlet = 'Set-SyslogServer'
    $what = 'Set where events go'
    if ($Remove) {
        $cmdlet = 'Set-SyslogServer -Remove'
        $what = 'Remove the destination, and what was not sent to it'
    }
    if ($PSCmdlet.ShouldProcess((Get-Connection).Endpoint, $what)) {
        $answer = Invoke-Cmdlet -Cmdlet $cmdlet -Bound $PSBoundParameters
        Write-Change -Changed $answer.server_changed
    }
}

<#
.SYNOPSIS
Shows where events go: how each destination is set, what it does, what is weak about it.

.PARAMETER Name
This destination alone.

.EXAMPLE
Get-SyslogServer
#>
function Get-SyslogServer {
    [CmdletBinding()]
    param(
        [string] $Name
    )

    $answer = Invoke-Cmdlet -Cmdlet 'Get-SyslogServer' -Bound $PSBoundParameters
    foreach ($server in $answer.servers.servers) {
        Write-Advice -About $server
        $server
    }
}

<#
.SYNOPSIS
Sets the certificate that is shown to receivers that ask for one (mutual TLS). With -RemoveCertificate it takes that away.

.PARAMETER PfxBinary
The PFX file with the certificate and its private key.

.PARAMETER CertPassword
The password of the PFX.

.PARAMETER RemoveCertificate
Remove the certificate and its key.

.EXAMPLE
Set-SyslogClient -PfxBinary ([IO.File]::ReadAllBytes('C:\cert\windrow.pfx')) -CertPassword (Read-Host -AsSecureString)

.EXAMPLE
Set-SyslogClient -RemoveCertificate
#>
function Set-SyslogClient {
    [CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Set')]
    param(
        [Parameter(Mandatory = $true, ParameterSetName = 'Set')]
        [Byte[]] $PfxBinary,

        [Parameter(ParameterSetName = 'Set')]
        [System.Security.SecureString] $CertPassword,

        [Parameter(Mandatory = $true, ParameterSetName = 'Remove')]
        [switch] $RemoveCertificate
    )

    $cmdlet = 'Set-SyslogClient'
    $what = 'Set the client certificate'
    if ($RemoveCertificate) {
        $cmdlet = 'Set-SyslogClient -RemoveCertificate'
        $what = 'Remove the client certificate and its key'
    }
    if ($PSCmdlet.ShouldProcess((Get-Connection).Endpoint, $what)) {
        $answer = Invoke-Cmdlet -Cmdlet $cmdlet -Bound $PSBoundParameters
        Write-Advice -About $answer.client_changed.client
        $answer.client_changed
    }
}

<#
.SYNOPSIS
Shows the certificate that is shown to receivers: whose, by whom, until when; never its key.

.EXAMPLE
Get-SyslogClient
#>
function Get-SyslogClient {
    [CmdletBinding()]
    param()

    $answer = Invoke-Cmdlet -Cmdlet 'Get-SyslogClient' -Bound $PSBoundParameters
    Write-Advice -About $answer.client
    $answer.client
}

# ---- what is sent -----------------------------------------------------------------------

# The answer to a cmdlet, sent as Requests.json says.
function Invoke-Cmdlet {
    param(
        [string] $Cmdlet,
        [System.Collections.IDictionary] $Bound
    )

    $request = $script:Requests.$Cmdlet
    $body = New-RequestBody -Parameters $request.parameters -Bound $Bound
    try {
        Send-Request -Method 'POST' -Path $request.path -Body $body
    }
    finally {
        [Array]::Clear($body, 0, $body.Length)
    }
}

# The JSON of a request, in UTF-8. Secrets go straight into the bytes, which the caller wipes.
function New-RequestBody {
    param(
        [object] $Parameters,
        [System.Collections.IDictionary] $Bound
    )

    $pieces = New-Object -TypeName 'System.Collections.Generic.List[byte[]]'
    try {
        foreach ($property in $Parameters.PSObject.Properties) {
            if (-not $Bound.ContainsKey($property.Name)) {
                continue
            }
            $value = $Bound[$property.Name]
            $piece = switch ($property.Value.type) {
                'String' { , [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject ([string] $value) -Compress)) }
                'Word' { , [System.Text.Encoding]::UTF8.GetBytes('"' + ([string] $value).ToLowerInvariant() + '"') }
                'UInt16' { , [System.Text.Encoding]::UTF8.GetBytes(([UInt16] $value).ToString([Globalization.CultureInfo]::InvariantCulture)) }
                'Switch' { , [System.Text.Encoding]::UTF8.GetBytes(([bool] $value).ToString().ToLowerInvariant()) }
                'Byte[]' { , (ConvertTo-Base64Json -Bytes $value) }
                'SecureString' { , (ConvertTo-SecretJson -Secret $value) }
            }
            $separator = ''
            if ($pieces.Count -gt 0) {
                $separator = ','
            }
            $pieces.Add([System.Text.Encoding]::UTF8.GetBytes($separator + '"' + $property.Value.key + '":'))
            $pieces.Add($piece)
        }
        $length = 2
        foreach ($piece in $pieces) {
            $length += $piece.Length
        }
        $body = New-Object -TypeName 'byte[]' -ArgumentList $length
        $at = 0
        $body[$at++] = 0x7B
        foreach ($piece in $pieces) {
            [Array]::Copy($piece, 0, $body, $at, $piece.Length)
            $at += $piece.Length
        }
        $body[$at] = 0x7D
        , $body
    }
    finally {
        foreach ($piece in $pieces) {
            [Array]::Clear($piece, 0, $piece.Length)
        }
    }
}

# Bytes as a JSON string of Base64.
function ConvertTo-Base64Json {
    param(
        [byte[]] $Bytes
    )

    $characters = New-Object -TypeName 'char[]' -ArgumentList ([int] (4 * [Math]::Ceiling($Bytes.Length / 3)) + 2)
    try {
        $characters[0] = [char] '"'
        $count = [Convert]::ToBase64CharArray($Bytes, 0, $Bytes.Length, $characters, 1)
        $characters[$count + 1] = [char] '"'
        , [System.Text.Encoding]::UTF8.GetBytes($characters, 0, $count + 2)
    }
    finally {
        [Array]::Clear($characters, 0, $characters.Length)
    }
}

# A secret as a JSON string. Each character is escaped (RFC 8259 7), so that none of them has to be looked at, and no string of
# it is made, which could not be wiped.
function ConvertTo-SecretJson {
    param(
        [System.Security.SecureString] $Secret
    )

    $digits = [System.Text.Encoding]::ASCII.GetBytes('0123456789abcdef')
    $length = 0
    $plain = [IntPtr]::Zero
    if ($null -ne $Secret) {
        $length = $Secret.Length
        $plain = [System.Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($Secret)
    }
    try {
        $json = New-Object -TypeName 'byte[]' -ArgumentList (6 * $length + 2)
        $at = 0
        $json[$at++] = 0x22
        for ($place = 0; $place -lt $length; $place++) {
            $unit = [int] [System.Runtime.InteropServices.Marshal]::ReadInt16($plain, 2 * $place) -band 0xFFFF
            $json[$at++] = 0x5C
            $json[$at++] = 0x75
            foreach ($shift in 12, 8, 4, 0) {
                $json[$at++] = $digits[($unit -shr $shift) -band 0xF]
            }
        }
        $json[$at] = 0x22
        , $json
    }
    finally {
        if ($plain -ne [IntPtr]::Zero) {
            [System.Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($plain)
        }
    }
}

# ---- how it is sent ---------------------------------------------------------------------

# Which windrow is meant.
function Get-Connection {
    if ($null -eq $script:Connection) {
        throw 'Connect-WindrowEndpoint says first which windrow is meant.'
    }
    $script:Connection
}

# One request to the endpoint, and what it answers. No proxy, no redirection: what is shown here is for the endpoint alone.
function Send-Request {
    param(
        [string] $Method,
        [string] $Path,
        [byte[]] $Body
    )

    $connection = Get-Connection
    $before = [System.Net.ServicePointManager]::SecurityProtocol
    try {
        # Windows PowerShell may speak TLS 1.0 only. Where the system decides (0), it is left to it.
        if ([int] $before -ne 0) {
            [System.Net.ServicePointManager]::SecurityProtocol = $before -bor [System.Net.SecurityProtocolType]::Tls12
        }
        $request = New-WebRequest -Connection $connection -Method $Method -Path $Path
        if ($null -ne $Body) {
            $request.ContentLength = $Body.Length
            $stream = $request.GetRequestStream()
            try {
                $stream.Write($Body, 0, $Body.Length)
            }
            finally {
                $stream.Dispose()
            }
        }
        $response = $request.GetResponse()
        try {
            Read-Body -Response $response | ConvertFrom-Json
        }
        finally {
            $response.Close()
        }
    }
    catch {
        # PowerShell wraps what a method throws.
        $cause = $_.Exception
        while ($null -ne $cause -and $cause -isnot [System.Net.WebException]) {
            $cause = $cause.InnerException
        }
        if ($null -eq $cause) {
            throw
        }
        throw (Get-Reason -Exception $cause -Endpoint $connection.Endpoint)
    }
    finally {
        [System.Net.ServicePointManager]::SecurityProtocol = $before
    }
}

function New-WebRequest {
    param(
        [hashtable] $Connection,
        [string] $Method,
        [string] $Path
    )

    $uri = New-Object -TypeName System.Uri -ArgumentList $Connection.Endpoint, $Path
    $request = [System.Net.HttpWebRequest] [System.Net.WebRequest]::Create($uri)
    $request.Method = $Method
    $request.ContentType = 'application/json'
    $request.Accept = 'application/json'
    $request.Proxy = $null
    $request.AllowAutoRedirect = $false
    $request.Timeout = $script:TimeoutMs
    $request.ReadWriteTimeout = $script:TimeoutMs
    $request.ConnectionGroupName = $Connection.Group
    $request.ServicePoint.Expect100Continue = $false
    $request.ServerCertificateValidationCallback = $Connection.Trust.Callback
    if ($null -ne $Connection.Certificate) {
        $null = $request.ClientCertificates.Add($Connection.Certificate)
    }
    if ($null -ne $Connection.Token) {
        # A header is a string in .NET: the token is in memory until that is collected.
        $plain = [System.Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($Connection.Token)
        try {
            $token = [System.Runtime.InteropServices.Marshal]::PtrToStringUni($plain)
            $request.Headers['Authorization'] = 'Bearer ' + $token
        }
        finally {
            [System.Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($plain)
        }
    }
    $request
}

function Read-Body {
    param(
        [System.Net.WebResponse] $Response
    )

    $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList @($Response.GetResponseStream(), [System.Text.Encoding]::UTF8)
    try {
        $reader.ReadToEnd()
    }
    finally {
        $reader.Dispose()
    }
}

# Why a request failed: the endpoint's words and what it says helps, or what kept it from answering.
function Get-Reason {
    param(
        [System.Net.WebException] $Exception,
        [Uri] $Endpoint
    )

    if ($null -eq $Exception.Response) {
        # The one is Windows PowerShell's word for it, the other PowerShell 7's.
        $distrusts = $Exception.Status -eq [System.Net.WebExceptionStatus]::TrustFailure
        for ($cause = $Exception.InnerException; $null -ne $cause; $cause = $cause.InnerException) {
            $distrusts = $distrusts -or $cause -is [System.Security.Authentication.AuthenticationException]
        }
        if ($distrusts) {
            return "The TLS handshake with $Endpoint failed. If its certificate is not believed: give its authority as -CaFile, or its SHA-256 as -Fingerprint."
        }
        return "$Endpoint does not answer: $($Exception.Message)"
    }
    $text = Read-Body -Response $Exception.Response
    try {
        $refusal = $text | ConvertFrom-Json
        $reason = $refusal.message
        if ($refusal.PSObject.Properties['hint']) {
            $reason = "$reason ($($refusal.hint))"
        }
        return $reason
    }
    catch {
        return "$Endpoint refuses the request: $text"
    }
}

# ---- what is read and shown -------------------------------------------------------------

function ConvertFrom-Fingerprint {
    param(
        [string] $Text
    )

    $digits = ($Text -replace '^sha256:', '') -replace ':', ''
    if ($digits -notmatch '^[0-9A-Fa-f]{64}$') {
        throw 'A SHA-256 fingerprint has 64 hexadecimal digits. (A thumbprint, as Windows shows it, is SHA-1, which is not enough.)'
    }
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList 32
    for ($place = 0; $place -lt 32; $place++) {
        $bytes[$place] = [Convert]::ToByte($digits.Substring(2 * $place, 2), 16)
    }
    , $bytes
}

# The certificates of a PEM file.
function Read-Authority {
    param(
        [string] $Path
    )

    $text = Get-Content -LiteralPath $Path -Raw
    $authorities = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2Collection
    foreach ($match in [regex]::Matches($text, '-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----')) {
        $bytes = [Convert]::FromBase64String(($match.Groups[1].Value -replace '\s', ''))
        $certificate = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $bytes)
        $null = $authorities.Add($certificate)
    }
    if ($authorities.Count -eq 0) {
        throw "$Path holds no certificate in PEM."
    }
    , $authorities
}

# A change of a destination: the destination as it is now, with what is weak about it; after a removal what was lost with it.
function Write-Change {
    param(
        [object] $Changed
    )

    if ($null -ne $Changed.unsent_events) {
        Write-Warning -Message "Up to $($Changed.unsent_events) events were not delivered to $($Changed.name) and will not be."
    }
    # An older windrow does not say any.
    if ($Changed.PSObject.Properties['warnings']) {
        Write-Advice -About $Changed
    }
    if ($null -ne $Changed.server) {
        Write-Advice -About $Changed.server
    }
    $Changed
}

function Write-Advice {
    param(
        [object] $About
    )

    foreach ($warning in $About.warnings) {
        Write-Warning -Message $warning
    }
}

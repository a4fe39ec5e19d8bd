# For Pester 5, where there is a PowerShell: Invoke-Pester powershell/tests
# The same cases are sent to a real endpoint by windrow's own tests, which do not run PowerShell.

BeforeAll {
    Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath '..\Windrow') -Force
}

Describe 'the requests that the cmdlets make' {
    It '<cmdlet> <json>' -ForEach @(
        Get-Content -LiteralPath (Join-Path -Path $PSScriptRoot -ChildPath 'requests.json') -Raw -Encoding UTF8 | ConvertFrom-Json | ForEach-Object {
            @{ cmdlet = $_.cmdlet; arguments = $_.arguments; body = $_.body; json = ($_.body | ConvertTo-Json -Compress) }
        }
    ) {
        InModuleScope -ModuleName Windrow -Parameters @{ cmdlet = $cmdlet; arguments = $arguments; body = $body } {
            $request = $script:Requests.$cmdlet
            $bound = @{}
            foreach ($argument in $arguments.PSObject.Properties) {
                $bound[$argument.Name] = switch ($request.parameters.($argument.Name).type) {
                    'Byte[]' { , [Convert]::FromBase64String($argument.Value) }
                    'SecureString' { ConvertTo-SecureString -String $argument.Value -AsPlainText -Force }
                    default { $argument.Value }
                }
            }
            $bytes = New-RequestBody -Parameters $request.parameters -Bound $bound
            $made = [System.Text.Encoding]::UTF8.GetString($bytes) | ConvertFrom-Json
            @($made.PSObject.Properties).Count | Should -Be @($body.PSObject.Properties).Count
            foreach ($property in $body.PSObject.Properties) {
                $made.($property.Name) | Should -BeExactly $property.Value
            }
        }
    }
}

Describe 'a secret' {
    It 'is escaped character by character' {
        InModuleScope -ModuleName Windrow {
            $secret = ConvertTo-SecureString -String ('a' + [char] 0xE4 + '"') -AsPlainText -Force
            [System.Text.Encoding]::ASCII.GetString((ConvertTo-SecretJson -Secret $secret)) | Should -BeExactly '"\u0061\u00e4\u0022"'
        }
    }

    It 'may be missing' {
        InModuleScope -ModuleName Windrow {
            [System.Text.Encoding]::ASCII.GetString((ConvertTo-SecretJson -Secret $null)) | Should -BeExactly '""'
        }
    }
}

Describe 'what is given' {
    It 'is a fingerprint of SHA-256 or none' {
        InModuleScope -ModuleName Windrow {
            (ConvertFrom-Fingerprint -Text ('AA:' * 31 + 'AA')).Length | Should -Be 32
            { ConvertFrom-Fingerprint -Text ('AA' * 20) } | Should -Throw
        }
    }

    It 'is an endpoint over https' {
        { Connect-WindrowEndpoint -Endpoint http://localhost:9443 -Token (New-Object System.Security.SecureString) } | Should -Throw
    }
}

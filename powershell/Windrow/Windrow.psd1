# NOT RUN: the continuous integration parses this module and sends its requests, as Requests.json has them, to a real endpoint. It
# does not run it on a real PowerShell. tests/Windrow.Tests.ps1 is for Pester, where there is one.
@{
    RootModule           = 'Windrow.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '5e0d1c9a-7f0a-4b7e-9d1c-3a1f3f6f2b58'
    Author               = 'The windrow authors'
    Copyright            = 'MIT or Apache-2.0'
    Description          = 'Administers the syslog client of a windrow collector over its privileged endpoint.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FunctionsToExport    = @(
        'Connect-WindrowEndpoint'
        'Disconnect-WindrowEndpoint'
        'Get-SyslogClient'
        'Get-SyslogServer'
        'Set-SyslogClient'
        'Set-SyslogServer'
    )
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    FileList             = @('Windrow.psd1', 'Windrow.psm1', 'EndpointTrust.cs', 'Requests.json')
}

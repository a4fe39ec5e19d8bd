use super::*;

/// What is told of something that is collected: everything but the notes.
fn told_of(collected: &str) -> String {
    let told = told(around(collected).as_bytes());
    told.lines()
        .filter(|line| !line.contains(" note: "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn a_whole_configuration_has_nothing_but_notes() {
    insta::assert_snapshot!(told(WHOLE.as_bytes()), @r#"
    49:9 note: <DockerSources> needs version 1.9 of Azure Diagnostics; the schema of 2016 refuses it
    61:94 note: usePublisherId needs version 1.7 of Azure Diagnostics; the schema of 2016 refuses it
    64:11 note: <StorageAccount> needs version 1.7 of Azure Diagnostics; the schema of 2016 refuses it
    67:11 note: <AzureMonitor> needs version 1.11 of Azure Diagnostics; the schema of 2016 refuses it
    76:5 note: <StorageType> needs version 1.8 of Azure Diagnostics; the schema of 2016 refuses it
    79:37 note: key holds a key beside the public part: whoever reads this file has it
    80:88 note: SharedAccessKey holds a key beside the public part: whoever reads this file has it
    84:9 note: Secret holds a key beside the public part: whoever reads this file has it
    88:41 note: sasToken holds a key beside the public part: whoever reads this file has it
    91:93 note: SharedAccessKey holds a key beside the public part: whoever reads this file has it
    "#);
}

#[test]
fn values_that_the_schema_refuses() {
    let told = told_of(
        "<DiagnosticInfrastructureLogs scheduledTransferPeriod='5 minutes' scheduledTransferLogLevelFilter='error'/>\n\
         <Directories scheduledTransferPeriod='-PT1M'>\n\
         <IISLogs containerName='IIS-Logs'/><FailedRequestLogs containerName='a--b'/>\n\
         <DataSources><DirectoryConfiguration containerName='abc'>\n\
         <LocalResource name='logs.' relativePath='\\a'/></DirectoryConfiguration></DataSources></Directories>\n\
         <PerformanceCounters scheduledTransferPeriod='PT1M'>\n\
         <PerformanceCounterConfiguration counterSpecifier='Memory' sampleRate='15'/></PerformanceCounters>\n\
         <EtwProviders><EtwManifestProviderConfiguration provider='{x}' scheduledTransferPeriod='PT1M' scheduledTransferKeywordFilter='FF'>\n\
         <Event id='one' eventDestination='My-Table'/><DefaultEvents eventDestination='DirectoriesTable'/>\n\
         </EtwManifestProviderConfiguration></EtwProviders>\n\
         <CrashDumps directoryQuotaPercentage='101' dumpType='Ful'><CrashDumpConfiguration processName='a.exe'/></CrashDumps>\n\
         <Logs scheduledTransferPeriod='PT1M'><Provider guid='123'/></Logs>",
    );
    insta::assert_snapshot!(told, @r#"
    2:56 error: scheduledTransferPeriod is "5 minutes": write a duration of PT0S and more, as PT5M (five minutes), PT30S or P1D
    2:100 error: scheduledTransferLogLevelFilter is "error": write Undefined, Verbose, Information, Warning, Error or Critical, did you mean Error?
    3:39 error: scheduledTransferPeriod is "-PT1M": write a duration of PT0S and more, as PT5M (five minutes), PT30S or P1D
    4:25 error: containerName is "IIS-Logs": write 3 to 63 small letters, digits and single hyphens, which stand neither first nor last
    4:70 error: containerName is "a--b": write 3 to 63 small letters, digits and single hyphens, which stand neither first nor last
    6:22 error: name is "logs.": write a letter or _ first, none of \ / : * ? " < > |, and no dot or blank at the end
    6:43 error: relativePath is "\\a": write a path such as logs\web, without < > : " / | ? *
    8:52 error: counterSpecifier is "Memory": write a path that begins with a backslash, as \Processor(_Total)\% Processor Time
    8:72 error: sampleRate is "15": write a duration of PT0S and more, as PT5M (five minutes), PT30S or P1D
    9:59 warning: a provider with a manifest is named by its GUID, and {x} is none
    9:127 error: scheduledTransferKeywordFilter is "FF": write a number of 64 bits, as 0x8000 or 32768
    10:12 error: id is "one": write a whole number from -2147483648 to 2147483647
    10:35 error: eventDestination is "My-Table": write 1 to 60 letters and digits, a letter first
    10:79 warning: the table WADDirectoriesTable is where Azure Diagnostics writes something else
    12:39 error: directoryQuotaPercentage is "101": write a whole number from 0 to 100
    12:54 error: dumpType is "Ful": write Mini or Full, did you mean Full?
    13:54 error: guid is "123": write a GUID, as 12345678-1234-1234-1234-123456789abc
    "#);
}

#[test]
fn elements_that_the_schema_refuses() {
    let told = told_of(
        "<WindowsEventLogs scheduledTransferPeriod='PT1M'/>\n\
         <WindowsEventLog scheduledTransferPeriod='PT1M'/>\n\
         <WindowsEventLog scheduledTransferPeriod='PT1M'><DataSource/></WindowsEventLog>\n\
         <Metrics ResourceId='/subscriptions/0'>\n\
         <MetricAggregation scheduledTransferPeriod='PT1M'/><MetricAggregation scheduledTransferPeriod='PT2M'/>\n\
         <MetricAggregation scheduledTransferPeriod='PT3M'/><MetricAggregation scheduledTransferPeriod='PT4M'/>\n\
         <MetricAggregation scheduledTransferPeriod='PT5M'/><MetricAggregation scheduledTransferPeriod='PT6M'/></Metrics>\n\
         <CrashDumps crashDumpType='Full'>all of them<CrashDumpConfiguration processName='a.exe'/></CrashDumps>\n\
         <Logs scheduledTransferPeriod='PT1M' bufferQuotaInMB='1024' scheduledTransferLogLevel='Error'/>\n\
         <Directories scheduledTransferPeriod='PT1M'><DataSources>\n\
         <DirectoryConfiguration containerName='abc'/>\n\
         <DirectoryConfiguration containerName='abc'><Absolute path='C:\\a' expandEnvironment='true'/>\n\
         <LocalResource name='a' relativePath='b'/></DirectoryConfiguration></DataSources></Directories>\n\
         <EtwProviders><EtwEventSourceProviderConfiguration provider='A' scheduledTransferPeriod='PT1M'>\n\
         <DefaultEvents/><Event id='1'/></EtwEventSourceProviderConfiguration></EtwProviders>",
    );
    insta::assert_snapshot!(told, @r#"
    2:1 error: <WindowsEventLogs> is not known in <DiagnosticMonitorConfiguration>, did you mean WindowsEventLog?; there can be Metrics, DiagnosticInfrastructureLogs, Directories, PerformanceCounters, WindowsEventLog, EtwProviders, CrashDumps, Logs and DockerSources
    3:1 error: <WindowsEventLog> has no <DataSource>: it needs one
    4:1 error: a second <WindowsEventLog> in <DiagnosticMonitorConfiguration>: there is one at most
    5:1 error: <Metrics> has no attribute resourceId: it needs one
    5:10 error: ResourceId is not known in <Metrics>: write resourceId
    8:52 error: <Metrics> holds 6 <MetricAggregation>: 5 at most
    9:13 error: crashDumpType is not known in <CrashDumps>: write dumpType; crashDumpType is in the documentation alone
    9:34 error: text in <CrashDumps>, which holds elements alone
    10:38 error: bufferQuotaInMB is not known in <Logs>: it is of Azure Diagnostics 1.0, say overallQuotaInMB
    10:61 error: scheduledTransferLogLevel is not known in <Logs>, did you mean scheduledTransferLogLevelFilter?; there can be scheduledTransferPeriod, scheduledTransferLogLevelFilter and sinks
    12:1 error: <DirectoryConfiguration> needs one of Absolute and LocalResource
    13:1 error: <DirectoryConfiguration> has Absolute and LocalResource beside each other: it takes one of Absolute and LocalResource
    16:17 error: <Event> stands behind <DefaultEvents> in <EtwEventSourceProviderConfiguration>: the order is Event and DefaultEvents
    "#);
}

#[test]
fn queries_that_select_nothing_or_something_else() {
    let told = told_of(
        "<WindowsEventLog scheduledTransferPeriod='PT90S'>\n\
         <DataSource name='Security!*[System[EventID=4624 &amp;&amp; Level=1]]'/>\n\
         <DataSource name='Security'/>\n\
         <DataSource name='*[System[EventID=1]]'/>\n\
         <DataSource name='Security!'/>\n\
         <DataSource name=' System!*'/>\n\
         <DataSource name='A:B!*'/>\n\
         <DataSource name='Microsoft-Windows-DNS-Client/Analytic!*'/>\n\
         <DataSource name='&lt;QueryList/&gt;'/>\n\
         <DataSource name='System!*[System[(Level =2)]]'/>\n\
         <DataSource name='System!*[System[Level=1 or Level=2 or Level=3]]'/>\n\
         <DataSource name='System!*[System[eventid=1]]'/>\n\
         <DataSource name='Setup!*'/><DataSource name='Setup!*'/>\n\
         </WindowsEventLog>",
    );
    insta::assert_snapshot!(told, @r#"
    2:43 warning: scheduledTransferPeriod is PT1M30S, and is rounded up to PT2M
    3:50 error: in the query: found & where a path, a string or a number has to be
    4:19 error: "Security" is no query: write Security!* for all events of that channel
    5:19 warning: the query names no channel: write Security!*[System[EventID=1]]
    6:19 warning: nothing stands behind the `!`: write Security!* for all events of that channel
    7:19 warning: the name of the channel has blanks around it
    8:19 error: no channel is named "A:B": names have 255 characters at most and none of < > & " | \ : ' ? *
    9:19 warning: events of analytic and debug channels cannot be subscribed to: Microsoft-Windows-DNS-Client/Analytic brings nothing
    10:19 error: a DataSource takes Channel!XPath, not a QueryList: write a DataSource for each Select
    11:19 warning: the query takes 2 (Error) and not 1 (Critical): a level in a query is not cumulative, write Level <= 2
    13:35 warning: in the query: this never holds: events have no eventid here, but EventID: case matters
    14:29 warning: this query stands here twice: Setup!*
    "#);
}

#[test]
fn what_is_accepted_and_not_meant() {
    let told = told(
        format!(
            "<PublicConfig xmlns='{NAMESPACE}'><WadCfg><DiagnosticMonitorConfiguration overallQuotaInMB='0'>\n\
             <DiagnosticInfrastructureLogs scheduledTransferPeriod='PT0S'/>\n\
             <Directories scheduledTransferPeriod='P1M'><DataSources>\n\
             <DirectoryConfiguration containerName='abc'>\n\
             <Absolute path='logs' expandEnvironment='true'/></DirectoryConfiguration>\n\
             <DirectoryConfiguration containerName='abc'>\n\
             <Absolute path='%TEMP%\\a' expandEnvironment='false'/></DirectoryConfiguration>\n\
             </DataSources></Directories>\n\
             <PerformanceCounters scheduledTransferPeriod='PT1M' sinks='hubb, hub.none'>\n\
             <PerformanceCounterConfiguration counterSpecifier='\\A' sampleRate='PT0S'/>\n\
             <PerformanceCounterConfiguration counterSpecifier='\\a' sampleRate='PT1S'/></PerformanceCounters>\n\
             <CrashDumps directoryQuotaPercentage='100'>\n\
             <CrashDumpConfiguration processName='a.exe'/></CrashDumps><Logs/>\n\
             </DiagnosticMonitorConfiguration><SinksConfig><Sink name='hub'>\n\
             <EventHub Url='http://example.com' SharedAccessKeyName='a'/></Sink></SinksConfig></WadCfg>\n\
             <StorageAccount>My-Logs</StorageAccount><StorageType>TableAndBlob</StorageType></PublicConfig>"
        )
        .as_bytes(),
    );
    insta::assert_snapshot!(told, @r#"
    1:158 warning: overallQuotaInMB is 0: there is no room to buffer anything
    2:56 warning: scheduledTransferPeriod is PT0S: none of this is transferred
    3:39 warning: scheduledTransferPeriod counts a year as 365 days and a month as 30: write days
    5:17 warning: this path is not absolute: write C:\… or %VARIABLE%\…
    7:46 warning: the path holds %…%, and expandEnvironment is false: write true
    9:60 warning: there is no sink hubb in <SinksConfig>, did you mean hub?
    9:60 warning: the sink hub has no channel none
    10:68 warning: sampleRate is PT0S: this counter is never sampled
    11:1 warning: this counter stands here twice: \a
    12:39 warning: crash dumps may take all of overallQuotaInMB: nothing is left for the rest
    13:59 note: <Logs> has no scheduledTransferPeriod, which means PT0S: none of this is transferred
    15:16 warning: Url sends keys and data in plain text: write https
    16:1 warning: no storage account is named "My-Logs": names have 3 to 24 small letters and digits
    16:41 note: <StorageType> needs version 1.8 of Azure Diagnostics; the schema of 2016 refuses it
    16:54 note: TableAndBlob writes everything twice
    "#);
}

#[test]
fn keys_in_the_public_part_are_told_and_not_shown() {
    let file = format!(
        "<PublicConfig xmlns='{NAMESPACE}'>\n\
         <WadCfgBlob containerName='a' key='c2VjcmV0' blobName='b?sv=1&amp;sig=c2VjcmV0'/>\n\
         <StorageAccount>AccountName=a;AccountKey=c2VjcmV0</StorageAccount></PublicConfig>"
    );
    let told = told(file.as_bytes());
    insta::assert_snapshot!(told, @r#"
    2:31 error: key is not known in <WadCfgBlob>; there can be containerName and blobName
    2:31 error: key holds a key in the public part, which everybody can read: it belongs into <PrivateConfig>
    2:46 error: blobName holds a key in the public part, which everybody can read: it belongs into <PrivateConfig>
    3:1 error: <StorageAccount> holds a key in the public part, which everybody can read: it belongs into <PrivateConfig>
    3:1 warning: no storage account is named "(a key)": names have 3 to 24 small letters and digits
    "#);
    assert!(!told.contains("c2VjcmV0"));
    let json = r#"{"WadCfg": {"DiagnosticMonitorConfiguration": {"overallQuotaInMB": 1}}, "storageAccountKey": "c2VjcmV0"}"#;
    let told = super::told(json.as_bytes());
    assert!(
        told.contains("error: key holds a key in the public part"),
        "{told}"
    );
    assert!(!told.contains("c2VjcmV0"));
    let shown = format!("{:?}", sound(WHOLE.as_bytes()));
    assert!(!shown.contains("bm90IGEga2V5"), "{shown}");
}

#[test]
fn files_that_are_something_else() {
    let deep = "<PublicConfig>".repeat(20);
    let all: String = [
        "",
        "  ",
        "<a/>",
        "<PublicConfig/>",
        "<PublicConfig xmlns='urn:x'/>",
        "<PublicConfig",
        "<PublicConfig>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><PublicConfig/>",
        "<PublicConfig>&b;</PublicConfig>",
        "<a/><b/>",
        "<PublicConfig a='1' a='2'/>",
        &deep,
        "[]",
        "{",
        "{}",
        "{\"WadCfg\": 1}",
        "{\"WadCfg\": [1]}",
        "{\"xmlCfg\": \"?\"}",
        "{\"xmlCfg\": \"PGE+\"}",
        "{\"xmlCfg\": \"PGEvPg==\"}",
        "{\"a\": 01}",
        "{'WadCfg': {}}",
        "{\"WadCfg\": {}, \"wadcfg\": {}}",
        "{\"StorageAccount\": \"\\u0000\", \"StorageType\": \"Blob\"}",
    ]
    .iter()
    .map(|file| format!("{}\n{}", &file[..file.len().min(60)], told(file.as_bytes())))
    .collect();
    insta::assert_snapshot!(all, @r#"

    1:1 error: the file ends before its last element is closed, or holds none
      
    1:3 error: the file ends before its last element is closed, or holds none
    <a/>
    1:1 error: there is no namespace: write <a xmlns="http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration">
    1:1 error: <a> is no configuration of Azure Diagnostics: it begins with <PublicConfig>, <DiagnosticsConfiguration> or <PrivateConfig>
    <PublicConfig/>
    1:1 error: there is no namespace: write <PublicConfig xmlns="http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration">
    1:1 warning: there is neither <WadCfg> nor <WadCfgBlob>: nothing is collected
    <PublicConfig xmlns='urn:x'/>
    1:1 error: <PublicConfig> is of the namespace "urn:x": write xmlns="http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration"
    1:1 warning: there is neither <WadCfg> nor <WadCfgBlob>: nothing is collected
    <PublicConfig
    1:1 error: this is not well-formed XML: syntax error: tag not closed: `>` not found before end of input
    <PublicConfig>
    1:15 error: the file ends before its last element is closed, or holds none
    <!DOCTYPE a [<!ENTITY b 'c'>]><PublicConfig/>
    1:1 error: a configuration has no document type
    <PublicConfig>&b;</PublicConfig>
    1:15 error: this is not well-formed XML: at 1..2: unrecognized entity `b`
    <a/><b/>
    1:5 error: a second element after the first has ended
    <PublicConfig a='1' a='2'/>
    1:1 error: this is not well-formed XML: position 19: duplicated attribute, previous declaration at position 13
    <PublicConfig><PublicConfig><PublicConfig><PublicConfig><Pub
    1:225 error: elements are nested deeper than 16 levels
    []
    1:1 error: a configuration in JSON is an object: {"WadCfg": …}
    {
    1:1 error: this is not JSON: Unterminated object
    {}
    1:1 error: this is no configuration of Azure Diagnostics: it has a WadCfg, an xmlCfg, or a PublicConfig
    {"WadCfg": 1}
    1:1 error: this is no configuration of Azure Diagnostics: it has a WadCfg, an xmlCfg, or a PublicConfig
    {"WadCfg": [1]}
    1:2 error: WadCfg is a list of objects
    {"xmlCfg": "?"}
    1:12 error: xmlCfg is the XML of the configuration as base64, and this is none
    {"xmlCfg": "PGE+"}
    1:12 (1:4) error: the file ends before its last element is closed, or holds none
    {"xmlCfg": "PGEvPg=="}
    1:12 (1:1) error: there is no namespace: write <a xmlns="http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration">
    1:12 (1:1) error: <a> is no configuration of Azure Diagnostics: it begins with <PublicConfig>, <DiagnosticsConfiguration> or <PrivateConfig>
    {"a": 01}
    1:8 error: this is not JSON: Expected comma
    {'WadCfg': {}}
    1:2 error: this is not JSON: Single-quoted strings are not allowed
    {"WadCfg": {}, "wadcfg": {}}
    1:2 error: <WadCfg> has no <DiagnosticMonitorConfiguration>: it needs one
    1:16 error: a second <WadCfg> in <PublicConfig>: there is one at most
    {"StorageAccount": "\u0000", "StorageType": "Blob"}
    1:1 warning: there is neither <WadCfg> nor <WadCfgBlob>: nothing is collected
    1:21 error: StorageAccount holds a character that XML cannot hold
    1:30 note: StorageType needs version 1.8 of Azure Diagnostics; the schema of 2016 refuses it
    "#);
    assert!(told(b"\xff\xff\xff").contains("neither UTF-8 nor UTF-16"));
    assert!(told(&vec![b' '; 2 << 20]).contains("larger than"));
}

#[test]
fn faults_of_json_have_their_places() {
    let json = r#"{
  "WadCfg": {
    "DiagnosticMonitorConfiguration": {
      "overallQuotaInMB": "much",
      "windowsEventLog": {
        "scheduledTransferPeriod": "PT1M",
        "DataSource": [{"name": "Security!*[System[\u0045ventID=1 \"]]"}, {"Name": "System!*"}]
      },
      "Directories": "all",
      "Logs": {"scheduledTransferPeriod": {}},
      "Crashes": {}
    }
  }
}"#;
    insta::assert_snapshot!(told(json.as_bytes()), @r#"
    4:27 error: overallQuotaInMB is "much": write a whole number from 0 to 4294967295
    5:7 note: write WindowsEventLog, not windowsEventLog: other readers tell them apart
    7:67 error: in the query: the quote that opens here is never closed
    7:76 note: write name, not Name: other readers tell them apart
    9:7 error: Directories is an object, or a list of objects
    10:7 note: <Logs> has no scheduledTransferPeriod, which means PT0S: none of this is transferred
    10:16 error: scheduledTransferPeriod is a value, not an object
    11:7 error: Crashes is not known in <DiagnosticMonitorConfiguration>; there can be Metrics, DiagnosticInfrastructureLogs, Directories, PerformanceCounters, WindowsEventLog, EtwProviders, CrashDumps, Logs, DockerSources, overallQuotaInMB, useProxyServer, eventVolume and sinks
    "#);
}

#[test]
fn faults_inside_base64_have_both_places() {
    use base64::Engine as _;
    let xml = "<WadCfg>\n <DiagnosticMonitorConfiguration xmlns='{NS}' overallQuotaInMB='-1'>\n  <Log/></DiagnosticMonitorConfiguration></WadCfg>";
    let xml = xml.replace("{NS}", NAMESPACE);
    let base64 = base64::engine::general_purpose::STANDARD.encode(xml);
    let json = format!("{{\n  \"StorageAccount\": \"abc\",\n  \"xmlCfg\": \"{base64}\"\n}}");
    insta::assert_snapshot!(told(json.as_bytes()), @r#"
    3:13 (2:137) error: overallQuotaInMB is "-1": write a whole number from 0 to 4294967295
    3:13 (3:3) error: <Log> is not known in <DiagnosticMonitorConfiguration>, did you mean Logs?; there can be Metrics, DiagnosticInfrastructureLogs, Directories, PerformanceCounters, WindowsEventLog, EtwProviders, CrashDumps, Logs and DockerSources
    "#);
}

#[test]
fn a_configuration_of_one_zero_is_read_as_one_of_today() {
    let xml = format!(
        "<DiagnosticMonitorConfiguration xmlns='{NAMESPACE}' overallQuotaInMB='4096' configurationChangePollInterval='PT1M'>\n\
         <Directories bufferQuotaInMB='1024' scheduledTransferPeriod='PT1M'><CrashDumps container='wad-dumps' directoryQuotaInMB='256'/>\n\
         <IISLogs container='wad-iis' directoryQuotaInMB='256'/></Directories>\n\
         <WindowsEventLog bufferQuotaInMB='1024' scheduledTransferLogLevelFilter='Error' scheduledTransferPeriod='PT1M'>\n\
         <DataSource name='Application!*'/></WindowsEventLog></DiagnosticMonitorConfiguration>"
    );
    insta::assert_snapshot!(told(xml.as_bytes()), @r#"
    1:1 note: this is a configuration of Azure Diagnostics 1.0; it is read as one of today
    1:142 note: configurationChangePollInterval is of Azure Diagnostics 1.0 and means nothing any more
    2:14 note: bufferQuotaInMB is of Azure Diagnostics 1.0 and means nothing any more
    2:68 note: <CrashDumps> is of Azure Diagnostics 1.0 and means nothing any more
    2:102 note: directoryQuotaInMB is of Azure Diagnostics 1.0 and means nothing any more
    3:30 note: directoryQuotaInMB is of Azure Diagnostics 1.0 and means nothing any more
    4:18 note: bufferQuotaInMB is of Azure Diagnostics 1.0 and means nothing any more
    4:41 warning: scheduledTransferLogLevelFilter of <WindowsEventLog> is of Azure Diagnostics 1.0: say the levels in the queries
    "#);
    let read = sound(xml.as_bytes());
    let monitor = read.public.unwrap().wad_cfg.unwrap().monitor;
    assert_eq!(
        monitor
            .directories
            .unwrap()
            .iis_logs
            .unwrap()
            .container_name
            .as_str(),
        "wad-iis"
    );
    let much = xml.replace("'1024' scheduledTransferLog", "'2561' scheduledTransferLog");
    let told = told(much.as_bytes());
    assert!(
        told.contains("error: the quotas of the parts are 4097 MB"),
        "{told}"
    );
}

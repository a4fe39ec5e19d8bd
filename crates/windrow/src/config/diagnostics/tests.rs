//! What configurations mean.

use std::path::Path;

use super::*;
use crate::config::objects::Store;

/// `conf.d/diagnostics.shop.toml` of this monitor, with more keys.
fn object(keys: &str, monitor: &str) -> String {
    format!(
        "revision = 3\nset_at = \"2026-11-20T08:00:00Z\"\nset_by = \"ada\"\n{keys}\nconfiguration = '''\n\
         <PublicConfig xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\">\n\
         <WadCfg>{monitor}</WadCfg>\n</PublicConfig>'''\n"
    )
}

fn check(name: &str, text: &str) -> Result<Checked, ConfigError> {
    Store::new(Path::new("/data")).check_diagnostics(name, text, &["web"])
}

const ACCOUNT: &str = "account = \"shoplogs\"\nkey_file = \"diagnostics/shop/000003.key\"\n";

const EVENTS: &str = r#"<DiagnosticMonitorConfiguration eventVolume="Medium">
  <DiagnosticInfrastructureLogs scheduledTransferPeriod="PT5M" scheduledTransferLogLevelFilter="Warning" />
  <WindowsEventLog scheduledTransferPeriod="PT90S">
    <DataSource name="Security!*[System[(EventID=4624 or EventID=4625)]]" />
    <DataSource name="Application!*[System[(Level &lt;= 2)]]" />
  </WindowsEventLog>
</DiagnosticMonitorConfiguration>"#;

#[test]
fn a_configuration_means_ordinary_settings() {
    let keys =
        format!("{ACCOUNT}machine_groups = [\"web\"]\nmachines = [\"srv*\"]\nrole = \"WebRole\"\n");
    let checked = check("shop", &object(&keys, EVENTS)).unwrap();
    assert_eq!(checked.diagnostics.undone, [""; 0]);
    insta::assert_snapshot!(checked.diagnostics.settings, @r#"
    [sink.azure_table.wad-shop-events]
    account = "shoplogs"
    deployment_id = "shop"
    event_volume = "medium"
    key_file = "/data/diagnostics/shop/000003.key"
    machine_groups = ["web"]
    machines = ["srv*"]
    role = "WebRole"
    subscription = "wad-shop"
    tables = ["WADWindowsEventLogsTable"]
    transfer_period = "2m"

    [sink.azure_table.wad-shop-events.filter]
    query = """
    <QueryList>
      <Query Id="0"><Select Path="Security">*[System[(EventID=4624 or EventID=4625)]]</Select></Query>
      <Query Id="1"><Select Path="Application">*[System[(Level &lt;= 2)]]</Select></Query>
    </QueryList>"""

    [sink.azure_table.wad-shop-own]
    account = "shoplogs"
    deployment_id = "shop"
    event_volume = "medium"
    infrastructure_level = "warning"
    key_file = "/data/diagnostics/shop/000003.key"
    machine_groups = ["web"]
    machines = ["srv*"]
    role = "WebRole"
    tables = ["WADDiagnosticInfrastructureLogsTable"]
    transfer_period = "5m"

    [subscription.wad-shop]
    description = "Azure Diagnostics shop"
    machine_groups = ["web"]
    machines = ["srv*"]
    query = """
    <QueryList>
      <Query Id="0"><Select Path="Security">*[System[(EventID=4624 or EventID=4625)]]</Select></Query>
      <Query Id="1"><Select Path="Application">*[System[(Level &lt;= 2)]]</Select></Query>
    </QueryList>"""
    "#);
    // They are the same where somebody writes them into windrow.toml.
    let file = format!(
        "[machine_group.web]\nmembers = [\"w1\"]\n[source.wef.main]\nhostname = \"c.example.com\"\n{}",
        checked.diagnostics.settings
    );
    let tls = "tls = { certificate = \"a.pem\", key = \"a.key\", client_ca = \"/ca.pem\" }\n";
    let file = file.replace("c.example.com\"\n", &format!("c.example.com\"\n{tls}"));
    let config = crate::config::check_text(Path::new("/data/windrow.toml"), &file).unwrap();
    assert_eq!(config.subscription, checked.subscriptions);
    assert_eq!(config.sink.azure_table, checked.azure_table);
}

#[test]
fn a_key_is_found_in_a_data_folder_that_is_named_from_here() {
    let text = object(ACCOUNT, EVENTS);
    let checked = Store::new(Path::new("data")).check_diagnostics("shop", &text, &[]);
    let sink = &checked.unwrap().azure_table["wad-shop-events"];
    let file = AccountCredential::KeyFile("data/diagnostics/shop/000003.key".into());
    assert_eq!(sink.credential, file);
}

#[test]
fn what_is_not_done_is_said() {
    let monitor = r#"<DiagnosticMonitorConfiguration>
  <DiagnosticInfrastructureLogs />
  <Directories scheduledTransferPeriod="PT1M"><IISLogs containerName="iis" /></Directories>
  <WindowsEventLog scheduledTransferPeriod="PT1M"><DataSource name="System!*" /></WindowsEventLog>
</DiagnosticMonitorConfiguration>"#;
    let checked = check("shop", &object("", monitor)).unwrap();
    assert_eq!(checked.subscriptions.len(), 1);
    assert_eq!(checked.azure_table.len(), 0);
    insta::assert_snapshot!(checked.diagnostics.undone.join("\n"), @"
    WindowsEventLog: there is no storage account and key, and no row is written
    DiagnosticInfrastructureLogs has no scheduledTransferPeriod: it is collected, and no row is written
    Directories: --files names the folder in which files of the machines arrive; without one nothing of them is collected
    ");
    let disabled = object(ACCOUNT, EVENTS)
        .replace("<PublicConfig", "<DiagnosticsConfiguration xmlns=\"http://schemas.microsoft.com/ServiceHosting/2010/10/DiagnosticsConfiguration\"><PublicConfig")
        .replace("</PublicConfig>", "</PublicConfig><IsEnabled>false</IsEnabled></DiagnosticsConfiguration>");
    let disabled = check("shop", &disabled).unwrap();
    assert_eq!(disabled.diagnostics.settings, "");
    assert_eq!(
        disabled.diagnostics.undone,
        ["IsEnabled is false: nothing is collected"]
    );
}

const FILES: &str = r#"<DiagnosticMonitorConfiguration>
  <Directories scheduledTransferPeriod="PT5M">
    <IISLogs containerName="wad-iis-logfiles" />
    <FailedRequestLogs containerName="wad-failedrequestlogs" />
    <DataSources>
      <DirectoryConfiguration containerName="wad-app"><Absolute path="D:\logs" expandEnvironment="false" /></DirectoryConfiguration>
      <DirectoryConfiguration containerName="wad-app"><LocalResource name="Logs" relativePath="." /></DirectoryConfiguration>
    </DataSources>
  </Directories>
  <CrashDumps><CrashDumpConfiguration processName="w3wp.exe" /></CrashDumps>
</DiagnosticMonitorConfiguration>"#;

#[test]
fn directories_and_dumps_are_folders_and_containers() {
    let keys = format!("{ACCOUNT}files = \"/srv/arrived\"\nmachine_groups = [\"web\"]\n");
    let checked = check("shop", &object(&keys, FILES)).unwrap();
    assert_eq!(checked.diagnostics.undone, [""; 0]);
    insta::assert_snapshot!(checked.diagnostics.settings, @r#"
    [sink.azure_blob.wad-shop-dumps]
    account = "shoplogs"
    deployment_id = "shop"
    key_file = "/data/diagnostics/shop/000003.key"
    machine_groups = ["web"]
    role = "IaaS"
    transfer_period = "1m"

    [sink.azure_blob.wad-shop-dumps.containers]
    wad-shop-dumps = "wad-crashdumps"

    [sink.azure_blob.wad-shop-files]
    account = "shoplogs"
    deployment_id = "shop"
    key_file = "/data/diagnostics/shop/000003.key"
    machine_groups = ["web"]
    role = "IaaS"
    transfer_period = "5m"

    [sink.azure_blob.wad-shop-files.containers]
    wad-shop-dfda6b = "wad-app"
    wad-shop-failed = "wad-failedrequestlogs"
    wad-shop-iis = "wad-iis-logfiles"

    [source.directory.wad-shop-dfda6b]
    content = "other"
    machine_from = "folder"
    path = "/srv/arrived/directories/wad-app"

    [source.directory.wad-shop-dumps]
    content = "crash-dump"
    machine_from = "folder"
    path = "/srv/arrived/crash-dumps"

    [source.directory.wad-shop-failed]
    content = "failed-request"
    machine_from = "folder"
    path = "/srv/arrived/failed-requests"

    [source.directory.wad-shop-iis]
    content = "iis-log"
    machine_from = "folder"
    path = "/srv/arrived/iis-logs"
    "#);
    let path = Path::new("/data/conf.d/diagnostics.shop.toml");
    let file = Path::new("/data/windrow.toml");
    let mut config =
        crate::config::check_text(file, "[machine_group.web]\nmembers = [\"w1\"]\n").unwrap();
    let before = config.clone();
    add(&mut config, "shop".to_owned(), checked, path).unwrap();
    assert_eq!(
        (config.source.directory.len(), config.sink.azure_blob.len()),
        (4, 2)
    );
    take_out(&mut config, "shop");
    assert_eq!(config, before);
}

#[test]
fn counters_are_a_folder_and_rows_of_those_that_are_named() {
    let monitor = r#"<DiagnosticMonitorConfiguration>
  <PerformanceCounters scheduledTransferPeriod="PT3M">
    <PerformanceCounterConfiguration counterSpecifier="\Processor(_Total)\% Processor Time" sampleRate="PT15S" />
    <PerformanceCounterConfiguration counterSpecifier="\Memory\Available MBytes" sampleRate="PT15S" />
  </PerformanceCounters>
</DiagnosticMonitorConfiguration>"#;
    let without = check("shop", &object(ACCOUNT, monitor)).unwrap();
    assert_eq!(
        without.diagnostics.undone,
        [
            "PerformanceCounters: --files names the folder in which files of the machines arrive; without one nothing of them is collected"
        ]
    );
    let keys = format!("{ACCOUNT}files = \"/srv/arrived\"\n");
    let checked = check("shop", &object(&keys, monitor)).unwrap();
    assert_eq!(checked.diagnostics.undone, [""; 0]);
    insta::assert_snapshot!(checked.diagnostics.settings, @r#"
    [sink.azure_table.wad-shop-perf]
    account = "shoplogs"
    counters = [
        '\Memory\Available MBytes',
        '\Processor(_Total)\% Processor Time',
    ]
    deployment_id = "shop"
    directories = ["wad-shop-perf"]
    key_file = "/data/diagnostics/shop/000003.key"
    role = "IaaS"
    tables = ["WADPerformanceCountersTable"]
    transfer_period = "3m"

    [source.directory.wad-shop-perf]
    content = "counters"
    machine_from = "folder"
    path = "/srv/arrived/counters"
    "#);
}

#[test]
fn a_level_is_the_least_of_those_that_are_written() {
    let levels = [
        ("Undefined", "undefined"),
        ("Verbose", "verbose"),
        ("Information", "information"),
        ("Warning", "warning"),
        ("Error", "error"),
        ("Critical", "critical"),
    ];
    for (theirs, ours) in levels {
        let monitor = EVENTS.replace("\"Warning\"", &format!("\"{theirs}\""));
        let checked = check("shop", &object(ACCOUNT, &monitor)).unwrap();
        let line = format!("infrastructure_level = \"{ours}\"");
        let settings = &checked.diagnostics.settings;
        assert!(settings.contains(&line), "{settings}");
    }
}

#[test]
fn what_is_damaged_is_refused_with_its_place() {
    let refused = |name: &str, text: &str| check(name, text).unwrap_err().to_string();
    let long = "a".repeat(38);
    insta::assert_snapshot!(refused(&long, &object("", EVENTS)).replace(&long, "LONG"), @"`LONG` cannot be a name");
    insta::assert_snapshot!(refused("shop", &object("", "<Nothing/>")), @"
    no configuration: <WadCfg> has no <DiagnosticMonitorConfiguration>: it needs one
     --> /data/conf.d/diagnostics.shop.toml:5:17
      |
    5 | configuration = '''
      |                 ^^^
    ");
    insta::assert_snapshot!(refused("shop", &object("machine_groups = [\"db\"]", EVENTS)), @r#"
    there is no [machine_group.db]
     --> the settings that diagnostics shop means:3:19
      |
    3 | machine_groups = ["db"]
      |                   ^^^^
    "#);
    let two = format!("{ACCOUNT}sas_file = \"b\"\n");
    insta::assert_snapshot!(refused("shop", &object(&two, EVENTS)), @"there are two credentials");
    let plain = format!("{ACCOUNT}endpoint = \"http://shoplogs.table.core.windows.net\"\n");
    insta::assert_snapshot!(refused("shop", &object(&plain, EVENTS)), @r#"
    http://shoplogs.table.core.windows.net is plain HTTP, which is for an emulator on this machine alone; use https://
     --> the settings that diagnostics shop means:4:12
      |
    4 | endpoint = "http://shoplogs.table.core.windows.net"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_setting_has_one_home_and_goes_with_its_configuration() {
    let text = "[subscription.wad-shop]\nchannels = [\"Security\"]\n";
    let file = Path::new("/data/windrow.toml");
    let path = Path::new("/data/conf.d/diagnostics.shop.toml");
    let mut config = crate::config::check_text(file, text).unwrap();
    let checked = check("shop", &object(ACCOUNT, EVENTS)).unwrap();
    let refused = add(&mut config, "shop".to_owned(), checked.clone(), path).unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"subscription.wad-shop is set twice: in /data/windrow.toml, line 1, and for Azure Diagnostics in /data/conf.d/diagnostics.shop.toml");

    let mut config = crate::config::check_text(file, "").unwrap();
    let before = config.clone();
    add(&mut config, "shop".to_owned(), checked.clone(), path).unwrap();
    assert_eq!(config.subscription.len(), 1);
    assert_eq!(config.sink.azure_table.len(), 2);
    replace(&mut config, "shop", checked, path).unwrap();
    assert_eq!(config.sink.azure_table.len(), 2);
    take_out(&mut config, "shop");
    assert_eq!(config, before);
}

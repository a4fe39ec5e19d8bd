//! Configurations of real projects and of documents, where a folder of them is at hand.

use std::path::{Path, PathBuf};

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "the corpus is not part of the project"
)]
fn folder() -> PathBuf {
    let root = match std::env::var_os("WINDROW_CORPUS") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    root.join("wad")
}

/// Files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).into_iter().flatten() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, std::fs::read(&path).unwrap()));
    }
    files.sort();
    files
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn configurations_of_real_projects_are_sound() {
    let found = files(&folder().join("configs"));
    if found.is_empty() {
        return eprintln!("skipped: there is no corpus");
    }
    let mut told_of = String::new();
    let mut sound_ones = 0;
    for (name, file) in &found {
        let reading = read(file);
        if let Some(configuration) = &reading.configuration {
            sound_ones += 1;
            for form in [Form::XmlFull, Form::Json, Form::Base64] {
                let printed = print(configuration, form, Secrets::Reveal);
                assert_eq!(
                    sound(printed.as_bytes()),
                    *configuration,
                    "{name}: {printed}"
                );
            }
        }
        let findings = reading.findings.iter();
        let grave = findings.filter(|finding| finding.severity() != Severity::Note);
        for finding in grave {
            let severity = finding.severity().as_str();
            told_of += &format!(
                "{name}:{}: {severity}: {}\n",
                finding.at.line, finding.fault
            );
        }
    }
    assert_eq!((found.len(), sound_ones), (21, 19));
    insta::assert_snapshot!(told_of, @r#"
    NuGet__NuGetGallery__1d05067d.wadcfgx:25: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__1d05067d.wadcfgx:26: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__1d05067d.wadcfgx:27: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__1d05067d.wadcfgx:28: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__1d05067d.wadcfgx:29: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__1d05067d.wadcfgx:30: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:25: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:26: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:27: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:28: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:29: warning: sampleRate is PT0S: this counter is never sampled
    NuGet__NuGetGallery__e779de6c.wadcfgx:30: warning: sampleRate is PT0S: this counter is never sampled
    SergeyKanzhelev__ILL__9a0e3975.wadcfgx:40: warning: no storage account is named "YOUR-STORAGE-ACCOUNT-HERE": names have 3 to 24 small letters and digits
    azure-diagnostics-tools__jsonPrivate.json:3: warning: there is a SAS token beside the key: the key is not used
    azure-diagnostics-tools__jsonPrivate.json:14: warning: no storage account is named "secondarydiagstorageaccount": names have 3 to 24 small letters and digits
    azure-diagnostics-tools__jsonPrivate.json:15: warning: there is a SAS token beside the key: the key is not used
    azure-diagnostics-tools__jsonPublic.json:30: error: <DirectoryConfiguration> has Absolute and LocalResource beside each other: it takes one of Absolute and LocalResource
    azure-diagnostics-tools__jsonPublic.json:118: error: containerName is "myDumpContainer": write 3 to 63 small letters, digits and single hyphens, which stand neither first nor last
    azure-diagnostics-tools__jsonPublic.json:138: error: <Sink> has ApplicationInsights, ApplicationInsightsProfiler, EventHub and StorageAccount beside each other: it takes one of ApplicationInsights, ApplicationInsightsProfiler, EventHub, StorageAccount and AzureMonitor
    azure-diagnostics-tools__jsonPublic.json:148: warning: no storage account is named "myAdditionalStorageAccount": names have 3 to 24 small letters and digits
    azure-diagnostics-tools__xmlPrivate.xml:2: warning: there is a SAS token beside the key: the key is not used
    azure-diagnostics-tools__xmlPrivate.xml:5: warning: no storage account is named "secondarydiagstorageaccount": names have 3 to 24 small letters and digits
    azure-diagnostics-tools__xmlPrivate.xml:5: warning: there is a SAS token beside the key: the key is not used
    azure-diagnostics-tools__xmlPublic.xml:12: error: <DirectoryConfiguration> has Absolute and LocalResource beside each other: it takes one of Absolute and LocalResource
    azure-diagnostics-tools__xmlPublic.xml:44: error: <Sink> has ApplicationInsights, ApplicationInsightsProfiler, EventHub and StorageAccount beside each other: it takes one of ApplicationInsights, ApplicationInsightsProfiler, EventHub, StorageAccount and AzureMonitor
    azure-diagnostics-tools__xmlPublic.xml:48: warning: no storage account is named "myAdditionalStorageAccount": names have 3 to 24 small letters and digits
    mspnp__data-pipeline__8c0fbf3c.wadcfgx:12: warning: this path is not absolute: write C:\… or %VARIABLE%\…
    mspnp__data-pipeline__af7ad908.wadcfgx:12: warning: this path is not absolute: write C:\… or %VARIABLE%\…
    mspnp__data-pipeline__de064653.wadcfgx:12: warning: this path is not absolute: write C:\… or %VARIABLE%\…
    "#);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn configurations_of_the_white_paper_merge_as_it_says() {
    let found = files(&folder().join("whitepaper"));
    if found.is_empty() {
        return eprintln!("skipped: there is no corpus");
    }
    let told_of: String = found
        .iter()
        .map(|(name, file)| format!("{name}\n{}", told(file)))
        .collect();
    insta::assert_snapshot!(told_of, @r#"
    1-vm-logon.xml
    2-vm-logon-plus-application-errors.xml
    6:35 warning: the query takes 2 (Error) and not 1 (Critical): a level in a query is not cumulative, write Level <= 2
    3-cloud-service-group-and-process.xml
    4-cloud-service-plus-firewall.xml
    5-cloud-service-plus-iis.xml
    "#);
    let read: Vec<Configuration> = found.iter().map(|(_, file)| sound(file)).collect();
    for (before, after) in [(0, 1), (2, 3), (3, 4)] {
        for (new, current) in [(before, after), (after, before)] {
            let merged = merge(&read[new], &read[current], Prefer::New);
            assert_eq!(merged.configuration, read[after], "{new} into {current}");
            assert_eq!(merged.conflicts, []);
        }
    }
}

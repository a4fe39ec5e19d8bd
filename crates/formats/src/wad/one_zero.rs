//! A configuration of version 1.0, as one of today: other names for some attributes, and quotas for each part.

use super::doubt::WadDoubt;
use super::finding::Report;
use super::tree::{Attribute, Element};

/// What an attribute of 1.0 has become.
enum Became {
    /// The same under another name.
    Name(&'static str),
    /// A part of the one quota.
    Quota,
    /// Something that the queries say.
    Level,
    /// Nothing.
    Nothing,
}

fn became(element: &str, attribute: &str) -> Option<Became> {
    match (element, attribute) {
        (_, "container") => Some(Became::Name("containerName")),
        (_, "bufferQuotaInMB" | "directoryQuotaInMB") => Some(Became::Quota),
        ("WindowsEventLog", "scheduledTransferLogLevelFilter") => Some(Became::Level),
        (_, "configurationChangePollInterval") => Some(Became::Nothing),
        _ => None,
    }
}

/// Makes one of today of it, and reports what is lost.
pub(super) fn upgrade(root: &mut Element, report: &mut Report) {
    report.add(WadDoubt::OldForm, root.at);
    let mut sum = 0;
    convert(root, &mut sum, report);
    // Then the agent took every dump; now it takes those of processes that are named.
    for directories in root
        .children
        .iter_mut()
        .filter(|child| child.name == "Directories")
    {
        directories.children.retain(|child| {
            let is_dumps = child.name == "CrashDumps";
            if is_dumps {
                report.add(WadDoubt::OldAttribute("<CrashDumps>".to_owned()), child.at);
            }
            !is_dumps
        });
    }
    let quota = root.attribute("overallQuotaInMB");
    let overall = quota.and_then(number);
    if let Some(overall) = overall
        && sum > overall
    {
        let at = quota.map_or(root.at, |quota| quota.value_at.start);
        report.add(WadDoubt::QuotaSum { sum, overall }, at);
    }
}

fn number(attribute: &Attribute) -> Option<u64> {
    attribute.value.as_str().trim().parse().ok()
}

fn convert(element: &mut Element, sum: &mut u64, report: &mut Report) {
    let attributes = std::mem::take(&mut element.attributes);
    for mut attribute in attributes {
        match became(&element.name, &attribute.name) {
            None => element.attributes.push(attribute),
            Some(Became::Name(name)) => {
                attribute.name = name.to_owned();
                element.attributes.push(attribute);
            }
            Some(Became::Quota) => {
                *sum = sum.saturating_add(number(&attribute).unwrap_or_default());
                report.add(WadDoubt::OldAttribute(attribute.name), attribute.at);
            }
            Some(Became::Level) if attribute.value.as_str() == "Undefined" => {}
            Some(Became::Level) => report.add(WadDoubt::OldLevel, attribute.at),
            Some(Became::Nothing) => {
                report.add(WadDoubt::OldAttribute(attribute.name), attribute.at);
            }
        }
    }
    for child in &mut element.children {
        convert(child, sum, report);
    }
}

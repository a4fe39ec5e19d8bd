//! Views with the names that analysts know, over `events`.
//!
//! Each is a SELECT of a few columns and a condition on event id and provider, so that the lake skips files by it.
//! Columns come from promoted ones where there are any, since the map costs fifteen times as much; what a query does not
//! ask for is not computed. Every view of events begins with `time` and `computer` and ends with the columns of [`COMMON`].

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

use super::Period;
use crate::distribution::{between, days};
use crate::schema;

/// A view over `events`.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What its rows are, in a sentence.
    pub sentence: &'static str,
    /// Its own columns; none where it counts.
    columns: &'static str,
    condition: &'static str,
}

/// Counts instead of events. Their day is their `date`, so that a condition on that skips files.
fn counts() -> String {
    format!(
        "select date, bucket, channel, event_id, computer, account, count(*) as events from \
         (select date, arrow_cast(cast({HAPPENED} as bigint) / 300000000 * 300000000, \
         'Timestamp(Microsecond, Some(\"UTC\"))') as bucket, channel, event_id, computer, \
         coalesce(target_user, subject_user) as account from events) \
         group by date, bucket, channel, event_id, computer, account"
    )
}

/// The same of five minutes that begin in a period, where all events are known.
pub(super) fn counts_of(period: Period) -> String {
    // The day of what counts is its date, and by that files are skipped.
    format!(
        "select * from ({}) where {} and {}",
        counts(),
        days(period),
        between("bucket", period)
    )
}

/// What every view of events ends with.
const COMMON: &str = "event_id, source, record_id, date";

impl View {
    /// Its definition.
    #[must_use]
    pub fn sql(&self) -> String {
        let View {
            columns, condition, ..
        } = self;
        if self.name == EVENT_COUNTS {
            return counts();
        }
        format!("select time, computer, {columns}, {COMMON} from events where {condition}")
    }
}

/// Name of the view that counts events by five minutes.
pub(crate) const EVENT_COUNTS: &str = "event_counts";

/// When an event counts as having happened: at its time; and when it came, where it has none, or is kept under another
/// day, since its time was too far from that to be believed.
pub(crate) const HAPPENED: &str = "case when time is null or cast(time as date) <> cast(date as date) then received_at else time end";

/// Every view, by name.
#[must_use]
pub fn views() -> &'static [View] {
    &VIEWS
}

const VIEWS: [View; 22] = [
    View {
        name: "account_changes",
        sentence: "accounts of users and computers created, changed, enabled, disabled, locked, renamed and deleted (4720 to 4726, 4738, 4740 to 4743, 4767, 4781)",
        columns: "case event_id when 4720 then 'created' when 4722 then 'enabled' when 4723 then 'password changed' \
            when 4724 then 'password reset' when 4725 then 'disabled' when 4726 then 'deleted' when 4738 then 'changed' \
            when 4740 then 'locked out' when 4741 then 'computer created' when 4742 then 'computer changed' \
            when 4743 then 'computer deleted' when 4767 then 'unlocked' else 'renamed' end as change, \
            coalesce(target_user, event_data['OldTargetUserName']) as account, \
            case when event_id <> 4740 then target_domain end as account_domain, target_sid as account_sid, \
            event_data['NewTargetUserName'] as new_name, \
            case when event_id = 4740 then target_domain end as caller_computer, \
            subject_user as by_account, subject_domain as by_domain, subject_logon_id as by_logon_id, outcome",
        condition: "event_id in (4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4741, 4742, 4743, 4767, 4781) \
            and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "alerts",
        sentence: "windrow's alerts, once when they were created and once when they were closed (100, 101 of its own)",
        columns: "case event_id when 100 then 'created' else 'closed' end as change, \
            event_data['AlertId'] as alert_id, event_data['FaultTypeId'] as fault_type_id, event_data['Severity'] as severity, \
            event_data['Title'] as title, event_data['Description'] as description, \
            event_data['Remediation'] as remediation, event_data['Created'] as created",
        condition: "event_id in (100, 101) and provider = 'Windrow' and origin = 'own'",
    },
    View {
        name: "audit",
        sentence: "who changed or tested a setting of windrow by command, took something out of its lake by hand, or used its privileged endpoint, and who was refused (15, 16, 30, 31, 33, 1000 to 1017 of its own)",
        columns: "coalesce(event_data['Who'], event_data['Account']) as who, event_data['From'] as from_address, \
            event_data['By'] as by_program, event_data['Object'] as object, event_data['Verb'] as verb, \
            event_data['Old'] as old_value, event_data['New'] as new_value, \
            case when event_id = 31 then 'refused' else coalesce(event_data['Outcome'], 'done') end as outcome, \
            event_data['Reason'] as reason, event_data['Session'] as session, event_data['Account'] as account, message",
        condition: "(event_id in (30, 31, 33) or event_id in (15, 16) and event_data['Who'] is not null \
            or event_id between 1000 and 1017) and provider = 'Windrow' and origin = 'own'",
    },
    View {
        name: "authentications",
        sentence: "what controllers were asked to vouch for, by Kerberos and NTLM, with its result (4768, 4769, 4771, 4776)",
        columns: "case event_id when 4776 then 'NTLM' else 'Kerberos' end as protocol, \
            case event_id when 4768 then 'ticket-granting ticket' when 4769 then 'service ticket' \
            when 4771 then 'pre-authentication' else 'credentials' end as request, \
            target_user as account, target_domain as account_domain, target_sid as account_sid, service_name as service, \
            ip_address as address, workstation, event_data['TicketEncryptionType'] as encryption, outcome, status, \
            case event_id when 4776 then status_name(status) else kerberos_status_name(status) end as reason",
        condition: "event_id in (4768, 4769, 4771, 4776) and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: EVENT_COUNTS,
        sentence: "how many events there were of each channel, id, computer and account in every five minutes; always sum(events)",
        columns: "",
        condition: "",
    },
    View {
        name: "explicit_logons",
        sentence: "somebody used the credentials of another account (4648)",
        columns: "subject_user as account, subject_domain as account_domain, subject_logon_id as logon_id, \
            target_user as used_account, target_domain as used_domain, event_data['TargetServerName'] as target_server, \
            ip_address as address, ip_port as port, process_name as process",
        condition: "event_id = 4648 and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "failed_logons",
        sentence: "attempts to log on that failed, with the reason (4625)",
        columns: "target_user as account, target_domain as account_domain, logon_type, \
            logon_type_name(logon_type) as logon_type_name, ip_address as address, ip_port as port, workstation, \
            coalesce(status_name(nullif(lower(sub_status), '0x0')), status_name(status)) as reason, status, sub_status, \
            authentication_package as package, process_name as process, subject_user as by_account",
        condition: "event_id = 4625 and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "firewall_changes",
        sentence: "rules and settings of the Windows firewall changed (4946 to 4950, 5025; 2002 to 2006, 2033 of the firewall's own log)",
        columns: "case when event_id in (4946, 2004, 2071, 2097) then 'rule added' \
            when event_id in (4947, 2005, 2073, 2099) then 'rule changed' when event_id in (4948, 2006, 2052) then 'rule deleted' \
            when event_id = 2033 then 'all rules deleted' when event_id = 5025 then 'firewall stopped' \
            else 'setting changed' end as change, \
            event_data['RuleName'] as rule, event_data['RuleId'] as rule_id, \
            coalesce(event_data['ProfileChanged'], event_data['Profiles']) as profiles, \
            event_data['SettingType'] as setting, event_data['ApplicationPath'] as application, \
            event_data['LocalPorts'] as local_ports, event_data['RemoteAddresses'] as remote_addresses, \
            event_data['ModifyingUser'] as by_sid, sid_name(event_data['ModifyingUser']) as by_account, \
            event_data['ModifyingApplication'] as by_process",
        condition: "(event_id in (4946, 4947, 4948, 4949, 4950, 5025) and provider = 'Microsoft-Windows-Security-Auditing' or \
            event_id in (2002, 2003, 2004, 2005, 2006, 2033, 2052, 2071, 2073, 2097, 2099) \
            and provider = 'Microsoft-Windows-Windows Firewall With Advanced Security')",
    },
    View {
        name: "group_changes",
        sentence: "groups created, changed and deleted, members added and removed (4727 to 4735, 4737, 4744 to 4764)",
        columns: "case when event_id in (4728, 4732, 4746, 4751, 4756, 4761) then 'member added' \
            when event_id in (4729, 4733, 4747, 4752, 4757, 4762) then 'member removed' \
            when event_id in (4727, 4731, 4744, 4749, 4754, 4759) then 'created' \
            when event_id in (4730, 4734, 4748, 4753, 4758, 4763) then 'deleted' \
            when event_id = 4764 then 'type changed' else 'changed' end as change, \
            target_user as group_name, target_domain as group_domain, target_sid as group_sid, \
            case when event_id in (4727, 4728, 4729, 4730, 4737, 4749, 4750, 4751, 4752, 4753) then 'global' \
            when event_id in (4731, 4732, 4733, 4734, 4735, 4744, 4745, 4746, 4747, 4748) then 'local' \
            when event_id <> 4764 then 'universal' end as scope, \
            event_id < 4744 or event_id between 4754 and 4758 or event_id = 4764 as is_security_group, \
            member_name as member, member_sid, sid_name(member_sid) as member_sid_name, \
            subject_user as by_account, subject_domain as by_domain, subject_logon_id as by_logon_id",
        condition: "(event_id between 4727 and 4735 or event_id = 4737 or event_id between 4744 and 4764) \
            and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "log_cleared",
        sentence: "event logs that were cleared (1102 of Security, 104 of others)",
        columns: "case event_id when 1102 then 'Security' else event_data['LogFileCleared/Channel'] end as cleared, \
            subject_user as by_account, subject_domain as by_domain, \
            coalesce(subject_sid, user_sid) as by_sid, subject_logon_id as by_logon_id, \
            event_data['LogFileCleared/BackupPath'] as backup_path",
        condition: "event_id in (1102, 104) and provider = 'Microsoft-Windows-Eventlog'",
    },
    View {
        name: "logoffs",
        sentence: "logons that ended (4634), or were ended by the user (4647)",
        columns: "target_user as account, target_domain as account_domain, target_sid as account_sid, \
            target_logon_id as logon_id, logon_type, logon_type_name(logon_type) as logon_type_name, \
            event_id = 4647 as by_user",
        condition: "event_id in (4634, 4647) and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "logons",
        sentence: "logons that succeeded (4624)",
        columns: "target_user as account, target_domain as account_domain, target_sid as account_sid, \
            target_logon_id as logon_id, logon_type, logon_type_name(logon_type) as logon_type_name, \
            ip_address as address, ip_port as port, workstation, \
            authentication_package as package, process_name as process, \
            event_data['ElevatedToken'] = '%%1842' as elevated, \
            nullif(event_data['TargetLinkedLogonId'], '0x0') as linked_logon_id, \
            subject_user as by_account, subject_logon_id as by_logon_id",
        condition: "event_id = 4624 and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "malware",
        sentence: "what Windows Defender found and did, and changes of its protection (1006 to 1008, 1015 to 1017, 1116 to 1119, 5001, 5004, 5007, 5010, 5012, 5013)",
        columns: "event_name(event_id, 'Microsoft-Windows-Windows Defender') as what, event_data['Threat Name'] as threat, \
            event_data['Severity Name'] as severity, event_data['Path'] as path, event_data['Process Name'] as process, \
            event_data['Action Name'] as action, event_data['Detection User'] as account, \
            event_data['New Value'] as new_setting",
        condition: "event_id in (1006, 1007, 1008, 1015, 1016, 1017, 1116, 1117, 1118, 1119, 5001, 5004, 5007, 5010, 5012, 5013) \
            and provider = 'Microsoft-Windows-Windows Defender'",
    },
    View {
        name: "network_connections",
        sentence: "connections that the filtering platform allowed or blocked (5156, 5157), or Sysmon saw (3)",
        columns: "event_id <> 5157 as allowed, process_name as process, \
            coalesce(event_data['ProcessID'], event_data['ProcessId']) as process_id, \
            case when event_data['Direction'] = '%%14592' or event_data['Initiated'] = 'false' then 'inbound' \
            when event_data['Direction'] = '%%14593' or event_data['Initiated'] = 'true' then 'outbound' end as direction, \
            ip_address as from_address, ip_port as from_port, dest_address as to_address, dest_port as to_port, \
            event_data['DestinationHostname'] as to_host, event_data['Protocol'] as protocol, subject_user as account",
        condition: "(event_id in (5156, 5157) and provider = 'Microsoft-Windows-Security-Auditing' or \
            event_id = 3 and provider = 'Microsoft-Windows-Sysmon')",
    },
    View {
        name: "policy_changes",
        sentence: "what is audited, who may do what, and whom the domain trusts was changed (4704 to 4707, 4713, 4716 to 4719, 4739)",
        columns: "event_name(event_id, provider) as change, event_data['SubcategoryGuid'] as subcategory_guid, \
            event_data['AuditPolicyChanges'] as audit_changes, \
            coalesce(event_data['PrivilegeList'], event_data['AccessGranted'], event_data['AccessRemoved']) as rights, \
            target_sid as account_sid, coalesce(event_data['DomainName'], target_domain) as domain_name, \
            subject_user as by_account, subject_domain as by_domain, subject_logon_id as by_logon_id",
        condition: "event_id in (4704, 4705, 4706, 4707, 4713, 4716, 4717, 4718, 4719, 4739) \
            and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "powershell_scripts",
        sentence: "script blocks of Windows PowerShell and of PowerShell 7, in parts where they are long (4104)",
        columns: "event_data['ScriptBlockText'] as script, event_data['ScriptBlockId'] as script_id, \
            event_data['MessageNumber'] as part, event_data['MessageTotal'] as parts, event_data['Path'] as path, \
            user_sid as account_sid, sid_name(user_sid) as account, level = 3 as suspicious",
        condition: "event_id = 4104 and (provider = 'Microsoft-Windows-PowerShell' or provider = 'PowerShellCore')",
    },
    View {
        name: "privileged_logons",
        sentence: "logons that got privileges of administrators (4672)",
        columns: "subject_user as account, subject_domain as account_domain, subject_sid as account_sid, \
            subject_logon_id as logon_id, event_data['PrivilegeList'] as privileges",
        condition: "event_id = 4672 and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "process_creation",
        sentence: "processes that began (4688, and 1 of Sysmon)",
        columns: "process_name as process, \
            case event_id when 4688 then event_data['NewProcessId'] else event_data['ProcessId'] end as process_id, \
            command_line, parent_process, \
            case event_id when 4688 then event_data['ProcessId'] else event_data['ParentProcessId'] end as parent_process_id, \
            event_data['ParentCommandLine'] as parent_command_line, \
            coalesce(target_user, subject_user) as account, \
            case when target_user is null then subject_domain else target_domain end as account_domain, \
            coalesce(event_data['LogonId'], case when target_user is null then subject_logon_id else target_logon_id end) as logon_id, \
            coalesce(sid_name(event_data['MandatoryLabel']), event_data['IntegrityLevel']) as integrity, \
            event_data['TokenElevationType'] = '%%1937' as elevated, event_data['Hashes'] as hashes",
        condition: "(event_id = 4688 and provider = 'Microsoft-Windows-Security-Auditing' or \
            event_id = 1 and provider = 'Microsoft-Windows-Sysmon')",
    },
    View {
        name: "scheduled_tasks",
        sentence: "scheduled tasks created, changed, enabled, disabled and deleted (4698 to 4702; 106, 140, 141 of the scheduler's own log)",
        columns: "case when event_id in (4698, 106) then 'created' when event_id in (4699, 141) then 'deleted' \
            when event_id = 4700 then 'enabled' when event_id = 4701 then 'disabled' else 'changed' end as change, \
            event_data['TaskName'] as task_path, \
            coalesce(event_data['TaskContent'], event_data['TaskContentNew']) as definition, \
            coalesce(subject_user, event_data['UserContext'], event_data['UserName']) as by_account, \
            subject_domain as by_domain, subject_logon_id as by_logon_id",
        condition: "(event_id between 4698 and 4702 and provider = 'Microsoft-Windows-Security-Auditing' or \
            event_id in (106, 140, 141) and provider = 'Microsoft-Windows-TaskScheduler')",
    },
    View {
        name: "services",
        sentence: "services installed (7045, 4697), and their way of starting changed (7040)",
        columns: "case event_id when 7040 then 'start changed' else 'installed' end as change, \
            coalesce(service_name, event_data['param4']) as service, \
            coalesce(event_data['ImagePath'], event_data['ServiceFileName']) as image, \
            coalesce(event_data['StartType'], event_data['ServiceStartType'], event_data['param3']) as start_type, \
            event_data['param2'] as start_type_before, \
            coalesce(event_data['AccountName'], event_data['ServiceAccount']) as runs_as, \
            subject_user as by_account, coalesce(subject_sid, user_sid) as by_sid",
        condition: "(event_id in (7045, 7040) and provider = 'Service Control Manager' or \
            event_id = 4697 and provider = 'Microsoft-Windows-Security-Auditing')",
    },
    View {
        name: "share_access",
        sentence: "shares, and files in them, that were opened over the network (5140, 5145)",
        columns: "subject_user as account, subject_domain as account_domain, subject_logon_id as logon_id, \
            ip_address as address, ip_port as port, event_data['ShareName'] as share, \
            event_data['RelativeTargetName'] as path, event_data['AccessMask'] as access_mask, outcome",
        condition: "event_id in (5140, 5145) and provider = 'Microsoft-Windows-Security-Auditing'",
    },
    View {
        name: "starts_and_stops",
        sentence: "machines that started, shut down or stopped without it (12, 13 of the kernel; 41; 1074; 6005, 6006, 6008)",
        columns: "event_name(event_id, provider) as what, case event_id when 1074 then event_data['param5'] end as kind, \
            case event_id when 1074 then event_data['param3'] end as reason, \
            case event_id when 1074 then event_data['param1'] end as by_process, \
            case event_id when 1074 then event_data['param7'] end as by_account",
        condition: "(event_id in (12, 13) and provider = 'Microsoft-Windows-Kernel-General' or \
            event_id = 41 and provider = 'Microsoft-Windows-Kernel-Power' or event_id = 1074 and (provider = 'User32' or provider = 'USER32') or \
            event_id in (6005, 6006, 6008) and provider = 'EventLog')",
    },
];

/// Makes those views known that the statement names; all where it asks what there is.
pub(super) async fn make_known(
    context: &SessionContext,
    state: &SessionState,
    statement: &Statement,
) -> Result<(), DataFusionError> {
    let references = state.resolve_table_references(statement)?;
    let asks_what_there_is = references
        .iter()
        .any(|reference| reference.schema() == Some("information_schema"));
    for view in &VIEWS {
        let is_named = |reference: &TableReference| reference.table() == view.name;
        if !asks_what_there_is && !references.iter().any(is_named) {
            continue;
        }
        // A file may have been given this name.
        if context.table_exist(view.name)? || !context.table_exist(schema::EVENTS.name)? {
            continue;
        }
        let sql = view.sql();
        let plan = state.create_logical_plan(&sql).await?;
        context.register_table(view.name, Arc::new(ViewTable::new(plan, Some(sql))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

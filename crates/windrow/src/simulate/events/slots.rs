//! Slots: the places of a template that differ from event to event.
//!
//! A slot's value depends on the event's seed, its machine and its record alone, and slots that
//! belong together (a user and its identifier, a process and its parent) draw the same number.

use super::super::random::{below, derive, skewed_below};
use super::values::{
    COMPLAINTS, FAILURES, FAMILY_NAMES, GIVEN_NAMES, GROUPS, GUESSES, PROCESSES, PROGRAMS, RULES,
    SERVICE_STATES, SERVICES,
};
use super::{Fleet, Machine};

/// How many of the fleet's users are administrators.
const ADMINISTRATORS: u64 = 6;

macro_rules! slots {
    ($($variant:ident = $name:literal,)*) => {
        /// One place to fill.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Slot { $($variant,)* }

        impl Slot {
            /// The slot of that name.
            pub(super) fn named(name: &str) -> Option<Slot> {
                match name {
                    $($name => Some(Slot::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

slots! {
    Time = "time",
    Record = "record",
    Thread = "thread",
    Computer = "computer",
    Netbios = "netbios",
    MachineAccount = "machine_account",
    Domain = "domain",
    DnsDomain = "dns_domain",
    Activity = "activity",
    Lsass = "lsass",
    Services = "services",
    ServicesHex = "services_hex",
    ServiceHost = "service_host",
    User = "user",
    UserSid = "user_sid",
    Workstation = "workstation",
    Address = "address",
    Admin = "admin",
    AdminSid = "admin_sid",
    AdminAddress = "admin_address",
    Guess = "guess",
    OutsideAddress = "outside_address",
    Port = "port",
    LogonId = "logon_id",
    LinkedLogonId = "linked_logon_id",
    LogonGuid = "logon_guid",
    Status = "status",
    FailureReason = "failure_reason",
    SubStatus = "sub_status",
    ProcessHex = "process_hex",
    ProcessDigits = "process_digits",
    ParentHex = "parent_hex",
    Process = "process",
    Command = "command",
    Parent = "parent",
    Group = "group",
    GroupSid = "group_sid",
    RuleGuid = "rule_guid",
    Rule = "rule",
    Service = "service",
    ServiceState = "service_state",
    ServiceBinary = "service_binary",
    Program = "program",
    Complaint = "complaint",
    Offset = "offset",
    StartLow = "start_low",
    ReportGuid = "report_guid",
}

impl Slot {
    /// Whether Windows lets whoever makes the event choose this text.
    pub(super) fn is_free_text(self) -> bool {
        matches!(
            self,
            Slot::User
                | Slot::Guess
                | Slot::Workstation
                | Slot::Command
                | Slot::Rule
                | Slot::Service
                | Slot::Program
                | Slot::Complaint
        )
    }
}

/// What a draw is for; slots that belong together share one.
#[derive(Clone, Copy)]
enum Draw {
    User = 1,
    Admin,
    Guess,
    Outside,
    Port,
    Logon,
    Linked,
    Guid,
    Rule,
    Report,
    Activity,
    Failure,
    Process,
    Parent,
    Program,
    Complaint,
    Group,
    RuleName,
    Service,
    Offset,
    Thread,
}

/// One event's values.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) machine: &'a Machine,
    pub(super) seed: u64,
}

impl Values<'_> {
    fn draw(&self, draw: Draw) -> u64 {
        derive(self.seed, draw as u64)
    }

    /// Appends the value of `slot`; [`Slot::Time`] and [`Slot::Record`] are the renderer's.
    pub(super) fn write(&self, slot: Slot, out: &mut String) {
        if !self.write_machine(slot, out) && !self.write_account(slot, out) {
            self.write_program(slot, out);
        }
    }

    fn write_machine(&self, slot: Slot, out: &mut String) -> bool {
        let machine = self.machine;
        match slot {
            Slot::Computer => out.push_str(&machine.name),
            Slot::Netbios => out.push_str(&machine.netbios),
            Slot::MachineAccount => {
                out.push_str(&machine.netbios);
                out.push('$');
            }
            Slot::Domain => out.push_str(&self.fleet.domain),
            Slot::DnsDomain => out.push_str(&self.fleet.dns_domain_upper),
            Slot::Lsass => push_decimal(machine.process(0), out),
            Slot::Services => push_decimal(machine.process(1), out),
            Slot::ServicesHex => push_prefixed_hex(machine.process(1), out),
            Slot::ServiceHost => push_decimal(machine.process(2), out),
            Slot::Thread => push_decimal(4 * (100 + below(self.draw(Draw::Thread), 3000)), out),
            Slot::Activity => push_guid(self.draw(Draw::Activity), out),
            _ => return false,
        }
        true
    }

    fn write_account(&self, slot: Slot, out: &mut String) -> bool {
        match slot {
            Slot::User => out.push_str(&self.user().0),
            Slot::UserSid => out.push_str(&self.user().1),
            Slot::Workstation => {
                out.push_str("WKS");
                push_padded(1000 + self.user_index(), 5, out);
            }
            Slot::Address => push_address(Address::Inside(self.user_index()), out),
            Slot::Admin => {
                out.push_str("adm-");
                out.push_str(&self.admin().0);
            }
            Slot::AdminSid => out.push_str(&self.admin().1),
            Slot::AdminAddress => push_address(Address::Inside(self.admin_index()), out),
            Slot::Guess => out.push_str(pick::<&str>(GUESSES, self.draw(Draw::Guess))),
            Slot::OutsideAddress => {
                push_address(
                    Address::Outside(skewed_below(self.draw(Draw::Outside), 254)),
                    out,
                );
            }
            Slot::Port => push_decimal(49152 + below(self.draw(Draw::Port), 16384), out),
            Slot::LogonId => push_prefixed_hex(0x1_0000 + (self.draw(Draw::Logon) >> 36), out),
            Slot::LinkedLogonId => {
                push_prefixed_hex(0x1_0000 + (self.draw(Draw::Linked) >> 36), out)
            }
            Slot::LogonGuid => push_guid(self.draw(Draw::Guid), out),
            Slot::Status => out.push_str(self.failure().0),
            Slot::FailureReason => out.push_str(self.failure().1),
            Slot::SubStatus => out.push_str(self.failure().2),
            _ => return false,
        }
        true
    }

    fn write_program(&self, slot: Slot, out: &mut String) {
        match slot {
            Slot::ProcessHex => push_prefixed_hex(self.process_id(Draw::Process), out),
            Slot::ProcessDigits => push_hex(self.process_id(Draw::Process), 1, out),
            Slot::ParentHex => push_prefixed_hex(self.process_id(Draw::Parent), out),
            Slot::Process => out.push_str(self.process().0),
            Slot::Command => out.push_str(self.process().1),
            Slot::Parent => out.push_str(self.process().2),
            Slot::Group => out.push_str(self.group().0),
            Slot::GroupSid => out.push_str(self.group().1),
            Slot::RuleGuid => push_guid(self.draw(Draw::Rule), out),
            Slot::Rule => out.push_str(pick::<&str>(RULES, self.draw(Draw::RuleName))),
            Slot::Service => out.push_str(self.service().0),
            Slot::ServiceState => out.push_str(self.service_state().0),
            Slot::ServiceBinary => self.write_service_binary(out),
            Slot::Program => out.push_str(pick::<&str>(PROGRAMS, self.draw(Draw::Program))),
            Slot::Complaint => out.push_str(pick::<&str>(COMPLAINTS, self.draw(Draw::Complaint))),
            Slot::Offset => push_hex(self.draw(Draw::Offset) >> 40, 16, out),
            Slot::StartLow => push_hex(self.draw(Draw::Offset) & 0xffff_ffff, 8, out),
            Slot::ReportGuid => push_guid(self.draw(Draw::Report), out),
            _ => {}
        }
    }

    fn user_index(&self) -> u64 {
        skewed_below(self.draw(Draw::User), self.fleet.users.len() as u64)
    }

    fn admin_index(&self) -> u64 {
        skewed_below(self.draw(Draw::Admin), ADMINISTRATORS)
    }

    fn user(&self) -> &(String, String) {
        self.fleet.user(self.user_index())
    }

    fn admin(&self) -> &(String, String) {
        self.fleet.user(self.admin_index())
    }

    fn failure(&self) -> &'static (&'static str, &'static str, &'static str) {
        pick(FAILURES, self.draw(Draw::Failure))
    }

    fn process(&self) -> &'static (&'static str, &'static str, &'static str) {
        pick(PROCESSES, self.draw(Draw::Program))
    }

    /// Windows process identifiers are multiples of four.
    fn process_id(&self, draw: Draw) -> u64 {
        4 * (50 + below(self.draw(draw), 4000))
    }

    fn group(&self) -> &'static (&'static str, &'static str) {
        pick(GROUPS, self.draw(Draw::Group))
    }

    fn service(&self) -> &'static (&'static str, &'static str) {
        pick(SERVICES, self.draw(Draw::Service))
    }

    fn service_state(&self) -> &'static (&'static str, char) {
        pick(SERVICE_STATES, self.draw(Draw::Service) << 20)
    }

    /// The short name, a slash and the state's number, ended by a zero, in UTF-16LE and hex.
    fn write_service_binary(&self, out: &mut String) {
        let (name, state) = (self.service().1, self.service_state().1);
        for character in name.chars().chain(['/', state, '\0']) {
            for byte in (character as u16).to_le_bytes() {
                push_upper_hex_byte(byte, out);
            }
        }
    }
}

/// `table[index]`, the low rows the likelier ones; tables are never empty.
pub(super) fn pick<T>(table: &[T], value: u64) -> &T {
    let index = usize::try_from(skewed_below(value, table.len() as u64)).unwrap_or(0);
    &table[index]
}

/// The names of the fleet's users, by number: given name's first letters and family name.
pub(super) fn user_name(index: usize) -> String {
    let given = GIVEN_NAMES[index % GIVEN_NAMES.len()];
    let family = FAMILY_NAMES[(index / GIVEN_NAMES.len()) % FAMILY_NAMES.len()];
    format!("{given}.{family}")
}

pub(super) fn push_decimal(value: u64, out: &mut String) {
    push_padded(value, 1, out);
}

/// `value` in decimal with at least `width` digits (no more than 20).
pub(super) fn push_padded(mut value: u64, width: usize, out: &mut String) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    push_ascii(&digits[start..], out);
}

/// `value` in hex with at least `width` digits (no more than 16).
fn push_hex(mut value: u64, width: usize, out: &mut String) {
    let mut digits = [b'0'; 16];
    let mut start = digits.len();
    while value > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
    push_ascii(&digits[start..], out);
}

fn push_prefixed_hex(value: u64, out: &mut String) {
    out.push_str("0x");
    push_hex(value, 1, out);
}

fn push_upper_hex_byte(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    push_ascii(
        &[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ],
        out,
    );
}

/// A GUID in braces and lower case whose last part is the fleet's.
fn push_guid(value: u64, out: &mut String) {
    out.push('{');
    push_hex(value >> 32, 8, out);
    out.push('-');
    push_hex((value >> 16) & 0xffff, 4, out);
    out.push('-');
    push_hex(value & 0xffff, 4, out);
    out.push_str("-9c4a-5e3b0328c30d}");
}

/// Where an address comes from, and its number there.
enum Address {
    Inside(u64),
    Outside(u64),
}

/// Inside addresses lie in 10.20.0.0/16, outside ones in 203.0.113.0/24 (RFC 5737).
fn push_address(address: Address, out: &mut String) {
    let (prefix, third, fourth) = match address {
        Address::Inside(index) => ("10.20.", (index / 200) % 200, 10 + index % 200),
        Address::Outside(index) => ("203.0.", 113, 1 + index % 254),
    };
    out.push_str(prefix);
    push_decimal(third, out);
    out.push('.');
    push_decimal(fourth, out);
}

fn push_ascii(digits: &[u8], out: &mut String) {
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

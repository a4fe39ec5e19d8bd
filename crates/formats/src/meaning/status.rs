//! Results that logons end with (NTSTATUS, MS-ERREF 2.3), and the reasons that event 4625 names by a message's number.

const RESULTS: [(u32, &str); 51] = [
    (0x0000_0000, "STATUS_SUCCESS"),
    (0xc000_0001, "STATUS_UNSUCCESSFUL"),
    (0xc000_0002, "STATUS_NOT_IMPLEMENTED"),
    (0xc000_0008, "STATUS_INVALID_HANDLE"),
    (0xc000_000d, "STATUS_INVALID_PARAMETER"),
    (0xc000_000e, "STATUS_NO_SUCH_DEVICE"),
    (0xc000_0017, "STATUS_NO_MEMORY"),
    (0xc000_0022, "STATUS_ACCESS_DENIED"),
    (0xc000_0034, "STATUS_OBJECT_NAME_NOT_FOUND"),
    (0xc000_005e, "STATUS_NO_LOGON_SERVERS"),
    (0xc000_005f, "STATUS_NO_SUCH_LOGON_SESSION"),
    (0xc000_0060, "STATUS_NO_SUCH_PRIVILEGE"),
    (0xc000_0062, "STATUS_INVALID_ACCOUNT_NAME"),
    (0xc000_0064, "STATUS_NO_SUCH_USER"),
    (0xc000_006a, "STATUS_WRONG_PASSWORD"),
    (0xc000_006b, "STATUS_ILL_FORMED_PASSWORD"),
    (0xc000_006c, "STATUS_PASSWORD_RESTRICTION"),
    (0xc000_006d, "STATUS_LOGON_FAILURE"),
    (0xc000_006e, "STATUS_ACCOUNT_RESTRICTION"),
    (0xc000_006f, "STATUS_INVALID_LOGON_HOURS"),
    (0xc000_0070, "STATUS_INVALID_WORKSTATION"),
    (0xc000_0071, "STATUS_PASSWORD_EXPIRED"),
    (0xc000_0072, "STATUS_ACCOUNT_DISABLED"),
    (0xc000_0073, "STATUS_NONE_MAPPED"),
    (0xc000_009a, "STATUS_INSUFFICIENT_RESOURCES"),
    (0xc000_00bb, "STATUS_NOT_SUPPORTED"),
    (0xc000_00dc, "STATUS_INVALID_SERVER_STATE"),
    (0xc000_00dd, "STATUS_INVALID_DOMAIN_STATE"),
    (0xc000_00df, "STATUS_NO_SUCH_DOMAIN"),
    (0xc000_00e5, "STATUS_INTERNAL_ERROR"),
    (0xc000_0133, "STATUS_TIME_DIFFERENCE_AT_DC"),
    (0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED"),
    (0xc000_018a, "STATUS_NO_TRUST_LSA_SECRET"),
    (0xc000_018b, "STATUS_NO_TRUST_SAM_ACCOUNT"),
    (0xc000_018c, "STATUS_TRUSTED_DOMAIN_FAILURE"),
    (0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE"),
    (0xc000_0190, "STATUS_TRUST_FAILURE"),
    (0xc000_0192, "STATUS_NETLOGON_NOT_STARTED"),
    (0xc000_0193, "STATUS_ACCOUNT_EXPIRED"),
    (0xc000_0198, "STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT"),
    (0xc000_0199, "STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT"),
    (0xc000_019a, "STATUS_NOLOGON_SERVER_TRUST_ACCOUNT"),
    (0xc000_019b, "STATUS_DOMAIN_TRUST_INCONSISTENT"),
    (0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE"),
    (0xc000_0225, "STATUS_NOT_FOUND"),
    (0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT"),
    (0xc000_02ee, "STATUS_UNFINISHED_CONTEXT_DELETED"),
    (0xc000_0371, "STATUS_NO_S4U_PROT_SUPPORT"),
    (0xc000_0388, "STATUS_DOWNGRADE_DETECTED"),
    (0xc000_0413, "STATUS_AUTHENTICATION_FIREWALL_FAILED"),
    (0xc000_0418, "STATUS_NTLM_BLOCKED"),
];

/// Reasons that `FailureReason` names by a message of the system's (`%%2313`), as the result that says the same.
const REASONS: [(u32, &str); 10] = [
    (2304, "STATUS_INTERNAL_ERROR"),
    (2305, "STATUS_ACCOUNT_EXPIRED"),
    (2306, "STATUS_NETLOGON_NOT_STARTED"),
    (2307, "STATUS_ACCOUNT_LOCKED_OUT"),
    (2308, "STATUS_LOGON_TYPE_NOT_GRANTED"),
    (2309, "STATUS_PASSWORD_EXPIRED"),
    (2310, "STATUS_ACCOUNT_DISABLED"),
    (2311, "STATUS_INVALID_LOGON_HOURS"),
    (2312, "STATUS_INVALID_WORKSTATION"),
    (2313, "STATUS_LOGON_FAILURE"),
];

/// The name of a result.
#[must_use]
pub fn status_name(status: u32) -> Option<&'static str> {
    super::named(&RESULTS, status)
}

/// The name of a result as an event writes it: a number, or the message that says it (`%%2313`).
#[must_use]
pub fn status_text_name(text: &str) -> Option<&'static str> {
    match text.trim().strip_prefix("%%") {
        Some(message) => super::named(&REASONS, message.parse().ok()?),
        None => status_name(super::code(text)?),
    }
}

#[cfg(test)]
pub(super) fn tables() -> [&'static [(u32, &'static str)]; 2] {
    [&RESULTS, &REASONS]
}

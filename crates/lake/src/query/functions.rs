//! Functions for what SQL lacks: names of SIDs, results, logon types and events, and networks of addresses.
//!
//! The tables are those of `windrow_formats`; here are only columns. A name is NULL where there is none, so that
//! `coalesce(sid_name(target_sid), target_sid)` says what is known.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use windrow_formats::describe;
use windrow_formats::meaning::{self, Network};

mod trunc;

/// A function of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function {
    SidName,
    StatusName,
    KerberosStatusName,
    LogonTypeName,
    EventName,
    CidrMatch,
}

/// What a reader is told of a function.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// How it is called.
    pub call: &'static str,
    /// What it is, in a sentence.
    pub sentence: &'static str,
}

const FUNCTIONS: [(Function, &str, Described); 6] = [
    (
        Function::SidName,
        "sid_name",
        Described {
            call: "sid_name(sid)",
            sentence: "the name of an account or group whose SID is the same everywhere (NT AUTHORITY\\SYSTEM), or ends the same in every domain (Domain Admins)",
        },
    ),
    (
        Function::StatusName,
        "status_name",
        Described {
            call: "status_name(status)",
            sentence: "the symbol of an NTSTATUS that a logon ended with: STATUS_WRONG_PASSWORD for 0xC000006A; of a text, a number or a message (%%2313)",
        },
    ),
    (
        Function::KerberosStatusName,
        "kerberos_status_name",
        Described {
            call: "kerberos_status_name(status)",
            sentence: "the symbol of a result of Kerberos (events 4768, 4769, 4771): KDC_ERR_PREAUTH_FAILED for 0x18",
        },
    ),
    (
        Function::LogonTypeName,
        "logon_type_name",
        Described {
            call: "logon_type_name(logon_type)",
            sentence: "the name of a type of logon: RemoteInteractive for 10",
        },
    ),
    (
        Function::EventName,
        "event_name",
        Described {
            call: "event_name(event_id, provider)",
            sentence: "what a common event is about, in few words",
        },
    ),
    (
        Function::CidrMatch,
        "cidr_match",
        Described {
            call: "cidr_match(network, address)",
            sentence: "whether an IPv4 or IPv6 address is in a network (10.0.0.0/8); NULL where there is no address",
        },
    ),
];

/// Every function of ours, for people.
pub fn functions() -> impl Iterator<Item = Described> {
    FUNCTIONS.iter().map(|(_, _, described)| *described)
}

/// Every function of ours, for the engine, and those of its own that are better done here.
pub(super) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let ours = FUNCTIONS.iter().map(|(function, name, _)| {
        ScalarUDF::from(Ours {
            function: *function,
            name,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    });
    let truncated = ScalarUDF::from(trunc::Truncated::new());
    ours.chain([truncated]).map(Arc::new)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ours {
    function: Function,
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Ours {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.function {
            Function::CidrMatch => DataType::Boolean,
            _ => DataType::Utf8View,
        })
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let wanted = match (self.function, arg_types) {
            (Function::SidName, [_]) => vec![DataType::Utf8View],
            (
                Function::StatusName | Function::KerberosStatusName | Function::LogonTypeName,
                [code],
            ) => {
                vec![match code.is_integer() {
                    true => DataType::Int64,
                    false => DataType::Utf8View,
                }]
            }
            (Function::EventName, [_, _]) => vec![DataType::Int64, DataType::Utf8View],
            (Function::CidrMatch, [_, _]) => vec![DataType::Utf8View, DataType::Utf8View],
            _ => {
                let call = self.described().call;
                return plan_err!(
                    "it is called as {call}, and not with {} values",
                    arg_types.len()
                );
            }
        };
        for (given, wanted) in arg_types.iter().zip(&wanted) {
            let fits = match wanted {
                DataType::Int64 => given.is_integer(),
                _ => given.is_string(),
            };
            if !fits && !given.is_null() {
                let call = self.described().call;
                return plan_err!("it is called as {call}, and {given} is none of what it takes");
            }
        }
        Ok(wanted)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        let of_constants = args.args.iter().all(is_constant);
        let rows = if of_constants { 1 } else { args.number_rows };
        let made = self.compute(args.args, rows)?;
        match of_constants {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &made, 0,
            )?)),
            false => Ok(ColumnarValue::Array(made)),
        }
    }
}

impl Ours {
    fn described(&self) -> Described {
        let of = FUNCTIONS
            .iter()
            .find(|(function, ..)| *function == self.function);
        of.map_or(FUNCTIONS[0].2, |(_, _, described)| *described)
    }

    fn compute(&self, mut args: Vec<ColumnarValue>, rows: usize) -> Result<ArrayRef> {
        let second = match args.len() {
            2 => args.pop(),
            _ => None,
        };
        match (self.function, args.pop(), second) {
            (Function::CidrMatch, Some(networks), Some(addresses)) => {
                let addresses = addresses.into_array(rows)?;
                cidr_match(networks, addresses.as_string_view(), rows)
            }
            (Function::EventName, Some(ids), Some(providers)) => {
                let (ids, providers) = (ids.into_array(rows)?, providers.into_array(rows)?);
                let ids = ids.as_primitive::<Int64Type>().iter();
                let names = ids
                    .zip(providers.as_string_view())
                    .map(|(id, provider)| describe::title(provider?, u32::try_from(id?).ok()?));
                Ok(Arc::new(names.collect::<StringViewArray>()))
            }
            (function, Some(codes), None) => Ok(names(function, &codes.into_array(rows)?)),
            _ => exec_err!("{} has not these values", self.name),
        }
    }
}

/// Names of codes, of numbers or texts.
fn names(function: Function, codes: &ArrayRef) -> ArrayRef {
    let of_text = |text: &str| match function {
        Function::SidName => meaning::sid_name(text),
        Function::StatusName => meaning::status_text_name(text),
        Function::KerberosStatusName => meaning::kerberos_status_name(meaning::code(text)?),
        _ => meaning::logon_type_name(text.trim().parse().ok()?),
    };
    let of_number = |number: i64| match function {
        Function::StatusName => meaning::status_name(meaning::number_code(number)?),
        Function::KerberosStatusName => {
            meaning::kerberos_status_name(meaning::number_code(number)?)
        }
        _ => meaning::logon_type_name(number),
    };
    let names: StringViewArray = match codes.as_primitive_opt::<Int64Type>() {
        Some(numbers) => numbers.iter().map(|number| of_number(number?)).collect(),
        None => codes
            .as_string_view()
            .iter()
            .map(|text| of_text(text?))
            .collect(),
    };
    Arc::new(names)
}

/// A constant that is no network is a mistake of whoever asks; a value of a column is what it is.
fn cidr_match(
    networks: ColumnarValue,
    addresses: &StringViewArray,
    rows: usize,
) -> Result<ArrayRef> {
    let matches: BooleanArray = match networks {
        ColumnarValue::Scalar(constant) => {
            let network = match constant.try_as_str().flatten() {
                None => None,
                Some(text) => match Network::read(text) {
                    Some(network) => Some(network),
                    None => {
                        return exec_err!(
                            "'{text}' is no network; write it as 10.0.0.0/8 or 2001:db8::/32"
                        );
                    }
                },
            };
            addresses
                .iter()
                .map(|address| Some(network?.has(meaning::address(address?)?)))
                .collect()
        }
        ColumnarValue::Array(_) => {
            let networks = networks.into_array(rows)?;
            // Sorted or joined, the same one comes many times.
            let mut last = (None, None);
            let pairs = networks.as_string_view().iter().zip(addresses);
            pairs
                .map(|(network, address)| {
                    if last.0 != network {
                        last = (network, network.and_then(Network::read));
                    }
                    Some(last.1?.has(meaning::address(address?)?))
                })
                .collect()
        }
    };
    Ok(Arc::new(matches))
}

#[cfg(test)]
mod tests;

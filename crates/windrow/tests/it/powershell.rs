//! The requests that the PowerShell module makes, sent to a real endpoint. Not by PowerShell, which is not here: the table
//! that the module builds them from is read by this too, and `powershell/tests` holds what comes out of it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Map, Value};
use xtask::project::root;

use crate::endpoint::Site;
use crate::support::certs::pfx;
use crate::support::{Scratch, installed};

fn read(file: &str) -> Value {
    let path = root().join("powershell").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The request of a cmdlet as the module writes it: the parameters that are given, a secret escaped character by character.
fn body(request: &Value, arguments: &Map<String, Value>) -> String {
    let parameters = request["parameters"].as_object().unwrap();
    let given = parameters.iter().filter_map(|(parameter, sent)| {
        let value = arguments.get(parameter)?;
        let key = sent["key"].as_str().unwrap();
        let value = match sent["type"].as_str().unwrap() {
            "SecureString" => escaped(value.as_str().unwrap()),
            "Switch" => value.as_bool().unwrap().to_string(),
            "UInt16" => u16::try_from(value.as_u64().unwrap()).unwrap().to_string(),
            "Word" => Value::from(value.as_str().unwrap().to_lowercase()).to_string(),
            "String" | "Byte[]" => Value::from(value.as_str().unwrap()).to_string(),
            other => panic!("{other} is no type of a parameter"),
        };
        Some(format!("\"{key}\":{value}"))
    });
    format!("{{{}}}", given.collect::<Vec<_>>().join(","))
}

fn escaped(secret: &str) -> String {
    let units = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

#[test]
fn the_endpoint_takes_what_the_module_sends() {
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("ada", "admin");
    site.service.start();
    let client = site.client(None);
    let requests = read("Windrow/Requests.json");
    let cases = read("tests/requests.json");
    let mut sent = BTreeSet::new();
    for case in cases.as_array().unwrap() {
        let cmdlet = case["cmdlet"].as_str().unwrap();
        let (request, arguments) = (&requests[cmdlet], case["arguments"].as_object().unwrap());
        let body = body(request, arguments);
        let made: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(made, case["body"], "{cmdlet}");
        let names = arguments.keys().map(|name| format!("{cmdlet} -{name}"));
        sent.extend(names.chain([cmdlet.to_owned()]));
        let reply = client.post(request["path"].as_str().unwrap(), &token, &body);
        assert_eq!(
            u64::from(reply.status),
            case["status"].as_u64().unwrap(),
            "{case}: {}",
            reply.body
        );
        // What is refused is refused for what it says.
        for misread in [
            "unknown field",
            "missing field",
            "invalid type",
            "invalid value",
        ] {
            assert!(!reply.body.contains(misread), "{case}: {}", reply.body);
        }
    }
    for (cmdlet, request) in requests.as_object().unwrap() {
        let names = request["parameters"].as_object().unwrap().keys();
        let names = names.map(|name| format!("{cmdlet} -{name}"));
        for name in names.chain([cmdlet.clone()]) {
            assert!(sent.contains(&name), "no case has {name}");
        }
    }
    let misspelled = client.post("/v1/syslog/server/set", &token, r#"{"server_nmae":"siem"}"#);
    assert!(
        misspelled.body.contains("unknown field"),
        "{}",
        misspelled.body
    );
    site.service.terminate().expect(0);
}

#[test]
fn a_pfx_and_its_password_arrive_as_the_module_sends_them() {
    if !installed("openssl") {
        return;
    }
    const PASSWORD: &str = "pässword \"\\ \u{1f511}";
    let scratch = Scratch::new();
    let mut site = Site::new(&scratch);
    let token = site.token("ada", "admin");
    let pair = site.authority.issue(&scratch, "windrow.example.com");
    let file = pfx(&scratch, &pair, PASSWORD);
    let encoded = Command::new("openssl")
        .args(["base64", "-A", "-in"])
        .arg(&file)
        .output()
        .unwrap();
    let encoded = String::from_utf8(encoded.stdout).unwrap();
    site.service.start();
    let client = site.client(None);
    let requests = read("Windrow/Requests.json");
    let send = |cmdlet: &str, arguments: Value| {
        let body = body(&requests[cmdlet], arguments.as_object().unwrap());
        let path = requests[cmdlet]["path"].as_str().unwrap();
        client.post(path, &token, &body)
    };
    let arguments = serde_json::json!({"PfxBinary": encoded, "CertPassword": PASSWORD});
    let set = send("Set-SyslogClient", arguments);
    assert_eq!(set.status, 200, "{}", set.body);
    let shown = send("Get-SyslogClient", serde_json::json!({}));
    assert!(
        shown.body.contains("CN=windrow.example.com"),
        "{}",
        shown.body
    );
    let removed = send("Set-SyslogClient -RemoveCertificate", serde_json::json!({}));
    assert_eq!(removed.status, 200, "{}", removed.body);
    site.service.terminate().expect(0);
}

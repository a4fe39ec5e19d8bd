use super::*;

fn shown(text: &str) -> Result<String, String> {
    let url: Result<AzureUrl, _> = text.parse();
    url.map(|url| format!("{url} {}", url.table("events")))
        .map_err(|error| error.to_string())
}

#[test]
fn one_place_has_several_addresses() {
    let expected = "https://acme1.blob.core.windows.net/logs/a/b abfss://logs@acme1.dfs.core.windows.net/a/b/events/";
    for text in [
        "https://acme1.blob.core.windows.net/logs/a/b",
        "https://acme1.dfs.core.windows.net/logs/a/b/",
        "abfss://logs@acme1.dfs.core.windows.net/a/b",
    ] {
        assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(
        shown("http://127.0.0.1:10000/devstoreaccount1/logs").as_deref(),
        Ok("http://127.0.0.1:10000/devstoreaccount1/logs abfss://logs@emulator/events/")
    );
}

#[test]
fn what_is_no_place_is_refused() {
    let tls = "without TLS only an emulator on this machine is spoken to";
    let secret = "no secret belongs into the address: name a file with it";
    for (text, why) in [
        ("http://acme1.blob.core.windows.net/logs", tls),
        ("http://192.0.2.1:10000/devstoreaccount1/logs", tls),
        ("http://127.0.0.1.example.com/account/logs", tls),
        ("https://acme1.blob.core.windows.net/logs?sig=x", secret),
        (
            "https://acme1.blob.core.windows.net",
            "it names no container",
        ),
        (
            "https://logs.example.com/logs",
            "its host is not one of Azure's storage",
        ),
        (
            "abfss://acme1.dfs.core.windows.net/logs",
            "it names no container where one belongs",
        ),
        (
            "s3://logs",
            "it begins neither with https:// nor with abfss://",
        ),
        ("logs", "it is not an address"),
    ] {
        assert_eq!(shown(text), Err(why.to_owned()), "{text}");
    }
}

#[test]
fn a_signature_says_when_it_ends() {
    let end = expiry("?sv=2025-01-05&se=2026-11-24T10%3A00%3A00Z&sig=abc");
    assert_eq!(end, "2026-11-24T10:00:00Z".parse().ok());
    assert_eq!(expiry("sig=abc"), None);
}

#[test]
fn a_secret_is_shown_nowhere() {
    let url: AzureUrl = "https://acme1.blob.core.windows.net/logs".parse().unwrap();
    for credential in [
        Credential::Key("not Base64 at all!".to_owned().into()),
        Credential::Key("c2VjcmV0IGtleQ==".to_owned().into()),
        Credential::Sas("sv=1&sig=secret".to_owned().into()),
    ] {
        let place = Azure::new(url.clone(), &credential, PathBuf::new());
        let text = format!(
            "{credential:?} {:?}",
            place.map_err(|error| error.to_string())
        );
        for secret in ["Base64", "c2VjcmV0", "secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

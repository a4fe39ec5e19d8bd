use std::time::Duration;

use proptest::prelude::*;

use super::client::{Request, Subscription, parse_reply};
use super::reply::{Authentication, ChannelErrors, ContentFormat, FaultCode, Offer};
use super::*;

mod corpus;

const EVENT: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>\
                     <System><EventID>4624</EventID></System></Event>";

const BOOKMARK: &str =
    r#"<BookmarkList><Bookmark Channel="Security" RecordId="7" IsCurrent="true"/></BookmarkList>"#;

fn request() -> Request<'static> {
    Request {
        to: "https://collector.example:5986/wsman/subscriptions/1",
        machine_id: "ws1.corp.example",
        message_id: "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        session_id: "uuid:D25DD033-C406-44AB-8443-85E1BC794F10",
        operation_id: "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
    }
}

fn text_of(body: &[u8]) -> Text {
    let mut text = Text::new();
    text.decode(body, None);
    text
}

fn text(xml: &str) -> Text {
    text_of(xml.as_bytes())
}

/// A delivery whose w:Event elements have this content.
fn delivery(events: &[&str]) -> String {
    let events: String = events
        .iter()
        .map(|content| format!("<w:Event Action='x'>{content}</w:Event>"))
        .collect();
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:w='{}'><s:Header/><s:Body><w:Events>{events}\
         </w:Events></s:Body></s:Envelope>",
        uri::SOAP,
        uri::WSMAN
    )
}

/// The events of a delivery and whether each is lossy.
fn events_of(text: &Text) -> Vec<(String, bool)> {
    match parse(text).unwrap().body {
        Body::Events { events, .. } => events
            .into_iter()
            .map(|event| (event.text.into_owned(), event.lossy))
            .collect(),
        other => panic!("not a delivery: {other:?}"),
    }
}

fn error_of(xml: &str) -> String {
    parse(&text(xml)).unwrap_err().to_string()
}

#[test]
fn an_enumerate_is_read() {
    let text = text(&client::enumerate(&request()));
    let message = parse(&text).unwrap();
    assert!(matches!(message.body, Body::Enumerate));
    assert_eq!(message.header.action(), Action::Enumerate);
    insta::assert_debug_snapshot!(message.header, @r#"
    Header {
        action: Some(
            "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate",
        ),
        message_id: Some(
            "uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E",
        ),
        relates_to: None,
        to: Some(
            "https://collector.example:5986/wsman/subscriptions/1",
        ),
        reply_to: Some(
            "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
        ),
        resource_uri: Some(
            "http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription",
        ),
        machine_id: Some(
            "ws1.corp.example",
        ),
        operation_id: Some(
            "uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4",
        ),
        max_envelope_size: Some(
            512000,
        ),
        identifier: None,
        version: None,
        bookmark: None,
    }
    "#);
}

#[test]
fn what_comes_twice_is_refused() {
    let once = delivery(&["a"]);
    let twice = |open: &str, close: &str| {
        let (start, end) = (
            once.find(open).unwrap(),
            once.find(close).unwrap() + close.len(),
        );
        let element = once[start..end].to_owned();
        error_of(&once.replace(&element, &format!("{element}{element}")))
    };
    insta::assert_snapshot!(
        [
            twice("<s:Header/>", "<s:Header/>"),
            twice("<s:Body>", "</s:Body>"),
            twice("<w:Events>", "</w:Events>"),
        ]
        .join("\n"),
        @r"
    SOAP envelope has more than one s:Header
    SOAP envelope has more than one s:Body
    SOAP envelope has more than one child of s:Body
    "
    );
}

#[test]
fn a_delivery_is_read() {
    let echo = "<e:Identifier>219C5353-5F3D-4CD7-A644-F6B69E57C1C1</e:Identifier>\
                <q:Version xmlns:q='urn:q'>v1</q:Version>";
    let hostile = "<Event>\r\n<Data>a]]>b\u{4}&amp;</Data>\r\n";
    let xml = client::events(&request(), echo, Some(BOOKMARK), [EVENT, hostile]);
    for charset in [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be] {
        let text = text_of(&encode(&xml, charset));
        let message = parse(&text).unwrap();
        assert_eq!(message.header.action(), Action::Events);
        assert_eq!(message.header.bookmark, Some(BOOKMARK));
        assert_eq!(
            message.header.identifier.as_deref(),
            Some("219C5353-5F3D-4CD7-A644-F6B69E57C1C1")
        );
        assert_eq!(message.header.version.as_deref(), Some("v1"));
        assert!(text.as_str().contains("<w:AckRequested/>"));
        let events = events_of(&text);
        assert_eq!(
            events,
            [(EVENT.to_owned(), false), (hostile.to_owned(), false)]
        );
    }
}

#[test]
fn heartbeat_end_and_subscription_end_are_read() {
    let heartbeat = text(&client::heartbeat(&request(), ""));
    let message = parse(&heartbeat).unwrap();
    assert_eq!(message.header.action(), Action::Heartbeat);
    assert!(matches!(message.body, Body::Events { events, dropped: 0 } if events.is_empty()));

    let end = text(&client::end(&request()));
    let message = parse(&end).unwrap();
    assert_eq!(message.header.action(), Action::End);
    assert_eq!(
        message.header.resource_uri.as_deref(),
        Some(uri::FULL_DUPLEX)
    );

    let end = text(&client::subscription_end(
        &request(),
        "",
        "policy <changed>",
    ));
    let message = parse(&end).unwrap();
    assert_eq!(message.header.action(), Action::SubscriptionEnd);
    let Body::SubscriptionEnd { reason, .. } = message.body else {
        panic!("{:?}", message.body);
    };
    assert_eq!(reason, "policy <changed>");
}

#[test]
fn the_text_of_an_event_is_what_stood_there() {
    let cases = [
        // CDATA, with the envelope's white space around it.
        (
            "\r\n <![CDATA[ <Event>\r\n\t</Event>\r ]]>\r\n",
            " <Event>\r\n\t</Event>\r ",
        ),
        // A section split because of the end mark in it.
        ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
        // Escaped, with an end of line that a parser would change, and white space between references.
        (
            "&lt;Event&gt;\r\n &#xD;&#10;&amp;amp; &gt;",
            "<Event>\r\n \r\n&amp; >",
        ),
        // A reference to nothing is kept as it was written.
        ("&lt;E&gt;&nosuch;&#xD800;", "<E>&nosuch;&#xD800;"),
        // As an element, without CDATA.
        (
            "<Event xmlns='urn:e'>\r\n<a b='&lt;'/></Event>",
            "<Event xmlns='urn:e'>\r\n<a b='&lt;'/></Event>",
        ),
        ("<Event/>", "<Event/>"),
        ("", ""),
        ("<![CDATA[]]>", ""),
    ];
    for (content, expected) in cases {
        let text = text(&delivery(&[content]));
        assert_eq!(
            events_of(&text),
            [(expected.to_owned(), false)],
            "{content}"
        );
    }
}

#[test]
fn an_event_is_lossy_alone() {
    let before = "<![CDATA[<Event>1</Event>]]>";
    let mut units: Vec<u16> = delivery(&[before, "<![CDATA[x\u{E000}y]]>", before])
        .encode_utf16()
        .collect();
    for unit in &mut units {
        if *unit == 0xE000 {
            *unit = 0xD834;
        }
    }
    let body: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
    let text = text_of(&body);
    let lossy: Vec<bool> = events_of(&text).iter().map(|event| event.1).collect();
    assert_eq!(lossy, [false, true, false]);
    assert_eq!(events_of(&text)[1].0, "x\u{FFFD}y");

    let mut body = delivery(&[before, "<![CDATA[x?y]]>"]).into_bytes();
    *body.iter_mut().find(|byte| **byte == b'?').unwrap() = 0xFF;
    let text = text_of(&body);
    assert_eq!(events_of(&text)[1], ("x\u{FFFD}y".to_owned(), true));
    assert!(!events_of(&text)[0].1);
}

#[test]
fn the_charset_is_seen_in_the_body_before_it_is_believed() {
    let xml = delivery(&["<![CDATA[ж]]>"]);
    let utf16 = encode(&xml, Charset::Utf16Le);
    let mut text = Text::new();
    assert_eq!(text.decode(&utf16, Some(Charset::Utf8)), Charset::Utf16Le);
    assert_eq!(
        text.decode(&utf16[2..], Some(Charset::Utf8)),
        Charset::Utf16Le
    );
    assert_eq!(text.as_str(), xml);
    assert_eq!(
        text.decode(xml.as_bytes(), Some(Charset::Utf16Le)),
        Charset::Utf8
    );
    assert_eq!(text.as_str(), xml);
    assert_eq!(text.decode(b"\xEF\xBB\xBF<a/>", None), Charset::Utf8);
    assert_eq!(text.as_str(), "<a/>");
    assert_eq!(text.decode(b"", Some(Charset::Utf16Be)), Charset::Utf16Be);
    assert_eq!(text.as_str(), "");

    for (value, charset) in [
        (
            "application/soap+xml;charset=UTF-16",
            Some(Charset::Utf16Le),
        ),
        (
            "application/soap+xml; action=x; Charset=\"utf-8\"",
            Some(Charset::Utf8),
        ),
        ("application/soap+xml", None),
        ("text/xml;charset=koi8-r", None),
    ] {
        assert_eq!(Charset::from_content_type(value), charset, "{value}");
    }
}

#[test]
fn an_odd_last_byte_does_not_cost_the_envelope() {
    let xml = delivery(&["<![CDATA[x]]>"]);
    let mut body = encode(&xml, Charset::Utf16Le);
    body.pop();
    assert_eq!(events_of(&text_of(&body)), [("x".to_owned(), false)]);
}

#[test]
fn what_is_not_an_envelope_is_named() {
    insta::assert_snapshot!(error_of(""), @"body is not a SOAP 1.2 envelope");
    insta::assert_snapshot!(error_of("not XML at all"), @"body is not a SOAP 1.2 envelope");
    insta::assert_snapshot!(error_of("<Envelope/>"), @"body is not a SOAP 1.2 envelope");
    insta::assert_snapshot!(error_of("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'/>"), @"body is not a SOAP 1.2 envelope");
    let whole = delivery(&["<![CDATA[x]]>"]);
    insta::assert_snapshot!(error_of(&whole[..whole.len() - 1]), @"SOAP envelope is not well-formed XML");
    insta::assert_snapshot!(error_of(&whole.replace("</s:Body></s:Envelope>", "")), @"SOAP envelope ends before its last end tag");
    insta::assert_snapshot!(error_of(&whole.replace("]]>", "")), @"SOAP envelope is not well-formed XML");
    insta::assert_snapshot!(error_of(&format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{whole}")), @"SOAP envelope has a document type, which is refused");
    insta::assert_snapshot!(error_of(&whole.replace("<s:Body>", "<!DOCTYPE a><s:Body>")), @"SOAP envelope has a document type, which is refused");
}

#[test]
fn limits_hold() {
    let deep = "<x>".repeat(1_000_000);
    insta::assert_snapshot!(error_of(&delivery(&[&deep])), @"SOAP envelope nests elements deeper than 64");
    let many = "<w:Event/>".repeat(crate::limits::SOAP_EVENTS_MAX + 1);
    let xml = delivery(&[]).replace("</w:Events>", &format!("{many}</w:Events>"));
    insta::assert_snapshot!(error_of(&xml), @"SOAP envelope holds more than 65536 events");
    let mut long = request();
    let name = "n".repeat(crate::limits::SOAP_HEADER_BYTES_MAX + 1);
    long.machine_id = &name;
    insta::assert_snapshot!(error_of(&client::enumerate(&long)), @"SOAP header value is too long");
    let bindings: String = (0..1000)
        .map(|n| format!(" xmlns:p{n}='urn:{n}'"))
        .collect();
    insta::assert_snapshot!(error_of(&format!("<a{bindings}/>")), @"SOAP envelope is not well-formed XML");
}

#[test]
fn bookmarks_are_checked_before_they_are_kept() {
    for good in [
        BOOKMARK,
        " <BookmarkList>\r\n<Bookmark Channel='a&amp;b' RecordId='1'/>\r\n</BookmarkList> ",
        "<b:List xmlns:b='urn:b'><b:One/></b:List>",
        "<a><!-- x --><![CDATA[<]]></a>",
    ] {
        assert!(check_bookmark(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "not XML",
        uri::BOOKMARK_EARLIEST,
        "<a/><b/>",
        "<a>",
        "<a></b>",
        "</a>",
        "<w:a/>",
        "<a w:b='c'/>",
        "<a b='<'/>",
        "<a b=c/>",
        "<a b='1' b='2'/>",
        "<a/>text",
        "<a>&nosuch;</a>",
        "<!DOCTYPE a><a/>",
        "<!-- x --><a/>",
        "<a><!-- x -- y --></a>",
        "<a><!-- x</a>",
        "<a><?x?></a>",
    ] {
        assert!(check_bookmark(bad).is_err(), "{bad}");
    }
    assert!(check_bookmark(&"<a>".repeat(100)).is_err());
    assert!(check_bookmark(&format!("<a>{}</a>", " ".repeat(70_000))).is_err());
}

fn offer() -> Offer<'static> {
    Offer {
        name: "security & more",
        version: "794B572A-0F96-46A6-8EFF-0F81EE927A05",
        identifier: "219C5353-5F3D-4CD7-A644-F6B69E57C1C1",
        address: "https://collector.example:5986/wsman/subscriptions/219C5353",
        authentication: Authentication::Certificate {
            issuer_thumbprint: "AB01",
        },
        query: r#"<QueryList><Query Id="0"><Select Path="Security">*[System[(EventID &lt; 5)]]</Select></Query></QueryList>"#,
        content_format: ContentFormat::RenderedText,
        read_existing: true,
        channel_errors: ChannelErrors::Ignore,
        heartbeat: Duration::from_secs(900),
        max_time: Duration::from_millis(30_500),
        max_elements: Some(50),
        max_envelope_bytes: 512_000,
        retry_count: 5,
        retry_interval: Duration::from_secs(60),
        locale: Some("en-US"),
        data_locale: Some("de-DE"),
        bookmark: None,
        message_id: "uuid:290B5848-44D8-4926-B965-947E25CBD253",
        operation_id: "uuid:3D30720D-2931-4B99-A15E-C828CE3D9E8A",
    }
}

#[test]
fn offers_are_complete_subscribe_envelopes() {
    let source = text(&client::enumerate(&request()));
    let header = parse(&source).unwrap().header;
    let xml = reply::enumerate_response(&header, "uuid:00", &[offer()]);
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">
    <s:Header>
    <a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse</a:Action>
    <a:MessageID>uuid:00</a:MessageID>
    <a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>
    <p:OperationID s:mustUnderstand="false">uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4</p:OperationID>
    <p:SequenceId>1</p:SequenceId>
    <a:RelatesTo>uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E</a:RelatesTo>
    </s:Header>
    <s:Body>
    <n:EnumerateResponse>
    <n:EnumerationContext>
    </n:EnumerationContext>
    <w:Items>
    <m:Subscription xmlns:m="http://schemas.microsoft.com/wbem/wsman/1/subscription">
    <m:Version>uuid:794B572A-0F96-46A6-8EFF-0F81EE927A05</m:Version>
    <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:e="http://schemas.xmlsoap.org/ws/2004/08/eventing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">
    <s:Header>
    <a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>
    <w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog</w:ResourceURI>
    <a:ReplyTo>
    <a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>
    </a:ReplyTo>
    <a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe</a:Action>
    <w:MaxEnvelopeSize s:mustUnderstand="true">512000</w:MaxEnvelopeSize>
    <a:MessageID>uuid:290B5848-44D8-4926-B965-947E25CBD253</a:MessageID>
    <w:Locale xml:lang="en-US" s:mustUnderstand="false"/>
    <p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>
    <p:OperationID s:mustUnderstand="false">uuid:3D30720D-2931-4B99-A15E-C828CE3D9E8A</p:OperationID>
    <p:SequenceId s:mustUnderstand="false">1</p:SequenceId>
    <w:OptionSet xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <w:Option Name="SubscriptionName">security &amp; more</w:Option>
    <w:Option Name="Compression">SLDC</w:Option>
    <w:Option Name="CDATA" xsi:nil="true"/>
    <w:Option Name="ContentFormat">RenderedText</w:Option>
    <w:Option Name="IgnoreChannelError" xsi:nil="true"/>
    <w:Option Name="ReadExistingEvents">true</w:Option>
    </w:OptionSet>
    </s:Header>
    <s:Body>
    <e:Subscribe>
    <e:EndTo>
    <a:Address>https://collector.example:5986/wsman/subscriptions/219C5353</a:Address>
    <a:ReferenceProperties>
    <e:Identifier>219C5353-5F3D-4CD7-A644-F6B69E57C1C1</e:Identifier>
    </a:ReferenceProperties>
    </e:EndTo>
    <e:Delivery Mode="http://schemas.dmtf.org/wbem/wsman/1/wsman/Events">
    <w:Heartbeats>PT900.000S</w:Heartbeats>
    <e:NotifyTo>
    <a:Address>https://collector.example:5986/wsman/subscriptions/219C5353</a:Address>
    <a:ReferenceProperties>
    <e:Identifier>219C5353-5F3D-4CD7-A644-F6B69E57C1C1</e:Identifier>
    </a:ReferenceProperties>
    <c:Policy xmlns:c="http://schemas.xmlsoap.org/ws/2002/12/policy" xmlns:auth="http://schemas.microsoft.com/wbem/wsman/1/authentication">
    <c:ExactlyOne>
    <c:All>
    <auth:Authentication Profile="http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual">
    <auth:ClientCertificate>
    <auth:Thumbprint Role="issuer">AB01</auth:Thumbprint>
    </auth:ClientCertificate>
    </auth:Authentication>
    </c:All>
    </c:ExactlyOne>
    </c:Policy>
    </e:NotifyTo>
    <w:ConnectionRetry Total="5">PT60.000S</w:ConnectionRetry>
    <w:MaxTime>PT30.500S</w:MaxTime>
    <w:MaxElements>50</w:MaxElements>
    <w:MaxEnvelopeSize Policy="Notify">512000</w:MaxEnvelopeSize>
    <w:Locale xml:lang="en-US" s:mustUnderstand="false"/>
    <p:DataLocale xml:lang="de-DE" s:mustUnderstand="false"/>
    <w:ContentEncoding>UTF-16</w:ContentEncoding>
    </e:Delivery>
    <w:Filter Dialect="http://schemas.microsoft.com/win/2004/08/events/eventquery">
    <QueryList>
    <Query Id="0">
    <Select Path="Security">*[System[(EventID &lt; 5)]]</Select>
    </Query>
    </QueryList>
    </w:Filter>
    <w:Bookmark>http://schemas.dmtf.org/wbem/wsman/1/wsman/bookmark/earliest</w:Bookmark>
    <w:SendBookmarks/>
    </e:Subscribe>
    </s:Body>
    </s:Envelope>
    </m:Subscription>
    </w:Items>
    <w:EndOfSequence/>
    </n:EnumerateResponse>
    </s:Body>
    </s:Envelope>
    "#);
}

#[test]
fn a_source_reads_what_is_offered() {
    let source = text(&client::enumerate(&request()));
    let header = parse(&source).unwrap().header;
    let mut second = offer();
    second.bookmark = Some(BOOKMARK);
    second.read_existing = false;
    second.max_elements = None;
    let answer = text(&reply::enumerate_response(
        &header,
        "uuid:00",
        &[offer(), second],
    ));
    let reply = parse_reply(&answer).unwrap();
    assert_eq!(reply.header.action(), Action::EnumerateResponse);
    assert_eq!(
        reply.header.relates_to.as_deref(),
        Some(request().message_id)
    );
    assert_eq!(
        reply.header.operation_id.as_deref(),
        Some(request().operation_id)
    );
    let [first, second]: [Subscription<'_>; 2] = reply.subscriptions.try_into().unwrap();
    insta::assert_debug_snapshot!(first, @r#"
    Subscription {
        version: "uuid:794B572A-0F96-46A6-8EFF-0F81EE927A05",
        name: "security & more",
        notify_to: "https://collector.example:5986/wsman/subscriptions/219C5353",
        echo: "<e:Identifier>219C5353-5F3D-4CD7-A644-F6B69E57C1C1</e:Identifier>",
        profile: Some(
            "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual",
        ),
        issuer_thumbprint: Some(
            "AB01",
        ),
        content_format: "RenderedText",
        sldc: true,
        read_existing: true,
        heartbeats: Some(
            "PT900.000S",
        ),
        retry_count: Some(
            5,
        ),
        retry_interval: Some(
            "PT60.000S",
        ),
        max_time: Some(
            "PT30.500S",
        ),
        max_elements: Some(
            50,
        ),
        max_envelope_bytes: Some(
            512000,
        ),
        query: "<QueryList><Query Id=\"0\"><Select Path=\"Security\">*[System[(EventID &lt; 5)]]</Select></Query></QueryList>",
        bookmark: Some(
            "http://schemas.dmtf.org/wbem/wsman/1/wsman/bookmark/earliest",
        ),
    }
    "#);
    assert_eq!(second.bookmark, Some(BOOKMARK));
    assert!(!second.read_existing);

    // What a source then sends carries what the collector put into NotifyTo.
    let events = client::events(&request(), second.echo, second.bookmark, [EVENT]);
    let delivery = text(&events);
    let message = parse(&delivery).unwrap();
    assert_eq!(
        message.header.identifier.as_deref(),
        Some(offer().identifier)
    );
    assert_eq!(message.header.bookmark, Some(BOOKMARK));
}

#[test]
fn an_acknowledgement_relates_to_the_message() {
    let source = text(&client::heartbeat(&request(), ""));
    let header = parse(&source).unwrap().header;
    let xml = reply::ack(&header, "uuid:00");
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">
    <s:Header>
    <a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/Ack</a:Action>
    <a:MessageID>uuid:00</a:MessageID>
    <a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>
    <p:OperationID s:mustUnderstand="false">uuid:03A3D1BB-9B16-4847-9F04-C9A8ED38E1E4</p:OperationID>
    <p:SequenceId>1</p:SequenceId>
    <a:RelatesTo>uuid:E9802257-6A7D-4C0D-BFA4-E81C7B1C447E</a:RelatesTo>
    </s:Header>
    <s:Body>
    </s:Body>
    </s:Envelope>
    "#);
    let answer = text(&xml);
    assert_eq!(parse_reply(&answer).unwrap().header.action(), Action::Ack);
}

#[test]
fn faults_name_the_code() {
    let xml = reply::fault(
        &Header::default(),
        "uuid:00",
        FaultCode::EncodingLimit,
        "body over 1 < 2 bytes",
    );
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">
    <s:Header>
    <a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/fault</a:Action>
    <a:MessageID>uuid:00</a:MessageID>
    <a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>
    </s:Header>
    <s:Body>
    <s:Fault>
    <s:Code>
    <s:Value>s:Sender</s:Value>
    <s:Subcode>
    <s:Value>w:EncodingLimit</s:Value>
    </s:Subcode>
    </s:Code>
    <s:Reason>
    <s:Text xml:lang="en-US">body over 1 &lt; 2 bytes</s:Text>
    </s:Reason>
    <s:Detail>
    <w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/ServiceEnvelopeLimit</w:FaultDetail>
    </s:Detail>
    </s:Fault>
    </s:Body>
    </s:Envelope>
    "#);
    for (code, status) in [
        (FaultCode::SchemaValidationError, 400),
        (FaultCode::UnsupportedEncoding, 415),
        (FaultCode::EncodingLimit, 413),
        (FaultCode::ActionNotSupported, 400),
        (FaultCode::MessageInformationHeaderRequired, 400),
        (FaultCode::DestinationUnreachable, 404),
        (FaultCode::InvalidBookmark, 400),
        (FaultCode::QuotaLimit, 503),
        (FaultCode::InternalError, 500),
    ] {
        let answer = text(&reply::fault(&Header::default(), "uuid:00", code, "why"));
        let reply = parse_reply(&answer).unwrap();
        assert_eq!(reply.header.action(), Action::Fault);
        let (name, reason) = reply.fault.unwrap();
        assert!(name.len() > 2 && reason == "why");
        assert_eq!(code.http_status(), status);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_event_text_comes_through(
        events in prop::collection::vec("([ -~]|[\r\n\t\u{1}-\u{8}]|\\]\\]>|é|☃|😀|<!\\[CDATA\\[){0,80}", 0..8),
        charset in prop_oneof![Just(Charset::Utf8), Just(Charset::Utf16Le), Just(Charset::Utf16Be)],
    ) {
        let xml = client::events(&request(), "", None, events.iter().map(String::as_str));
        let text = text_of(&encode(&xml, charset));
        let got: Vec<String> = events_of(&text).into_iter().map(|event| event.0).collect();
        prop_assert_eq!(got, events);
    }

    #[test]
    fn utf16_decodes_as_the_standard_library_does(units in prop::collection::vec(
        prop_oneof![6 => 0x20u16..0x7F, 2 => any::<u16>(), 1 => 0xD7F0u16..0xE010], 0..200,
    )) {
        let expected = String::from_utf16_lossy(&units);
        let mut le = vec![0xFF, 0xFE];
        le.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        let mut be = vec![0xFE, 0xFF];
        be.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
        for body in [le, be] {
            let text = text_of(&body);
            prop_assert_eq!(text.as_str(), &expected);
            let mut replaced = char::decode_utf16(units.iter().copied()).scan(0, |at, unit| {
                let here = *at;
                *at += unit.as_ref().map_or(3, |c| c.len_utf8());
                Some((here, unit.is_err()))
            });
            prop_assert!(replaced.all(|(at, bad)| text.is_lossy(at..at + 1) == bad));
        }
    }

    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&text_of(&body));
    }

    #[test]
    fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let header = Header { message_id: Some("uuid:1".into()), ..Header::default() };
        for xml in [
            client::events(&request(), "<e:Identifier>x</e:Identifier>", Some(BOOKMARK), [EVENT]),
            reply::enumerate_response(&header, "uuid:00", &[offer()]),
        ] {
            let mut body = xml.into_bytes();
            let at = at.index(body.len());
            body[at] = byte;
            body.truncate(cut.index(body.len()) + 1);
            let text = text_of(&body);
            let _ = parse(&text);
            let _ = parse_reply(&text);
        }
    }
}

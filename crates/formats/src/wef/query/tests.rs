use proptest::prelude::*;

use super::*;

use crate::event::{self, Index};
use crate::xpath::Filter;

const LIST: &str = "<QueryList>\n  <Query Id='0' Path='Security'><Select>*[System[EventID=1]]</Select>\r\n\
    <Select Path='system'>*</Select></Query><Query Id='1'/>\n<!-- a & b --><Query Id='2'><Select \
    Path='SYSTEM'><![CDATA[*]]></Select><Suppress Path='System'>*[System[Level=4]]</Suppress></Query></QueryList>";

fn since() -> Timestamp {
    "2026-11-22T12:00:00.1239Z".parse().unwrap()
}

#[test]
fn channels_are_those_that_are_selected() {
    assert_eq!(channels(LIST).unwrap(), ["Security", "system"]);
    assert!(channels("<QueryList/>").is_err());
}

#[test]
fn a_channel_is_taken_whole_where_nothing_of_it_is_left_out() {
    let whole = |list: &str| whole_channels(list).unwrap();
    assert_eq!(whole(LIST), ["system"], "the first Query takes all of it");
    let list = "<QueryList><Query Path='Security'><Select> * </Select><Suppress>*[System[EventID=1]]</Suppress>\
        </Query><Query><Select Path='Setup'>Event</Select><Select Path='System'>*[System]</Select></Query></QueryList>";
    assert_eq!(whole(list), ["Setup"]);
}

#[test]
fn bookmarks_tell_how_far_they_came() {
    let bookmark = "<BookmarkList><Bookmark Channel='A&amp;B' RecordId='18446744073709551615'/>\
        <Bookmark Channel='System' RecordId='-1'/><Bookmark RecordId='3'/></BookmarkList>";
    let places = [
        ("A&B".to_owned(), Some(u64::MAX)),
        ("System".to_owned(), None),
    ];
    assert_eq!(bookmarked_places(bookmark).unwrap(), places);
    assert_eq!(bookmarked_places("<Bookmark/>"), None);
}

#[test]
fn each_query_is_told_by_its_id_and_channels() {
    let list = "<QueryList><Query Id='7' Path='Security'><Select>*</Select><Select Path='System'>*</Select>\
                <Suppress Path='system'>*[System[EventID=1]]</Suppress></Query>\
                <Query Id=' '><Select Path='SECURITY'>*</Select><Select Path='Security'>*</Select></Query></QueryList>";
    let outlines = outline(list).unwrap();
    let told: Vec<String> = outlines.iter().map(|of| format!("{of:?}")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Outline { id: Some("7"), channels: ["Security", "System"], selects: 2, suppresses: 1 }
    Outline { id: None, channels: ["SECURITY"], selects: 2, suppresses: 0 }
    "#);
    assert!(outline("<QueryList/>").is_err());
}

#[test]
fn history_is_held_back_in_every_query_of_the_channel() {
    let list = with_history_suppressed(LIST, &["System"], since()).unwrap();
    insta::assert_snapshot!(list, @r#"
    <QueryList>
      <Query Id='0' Path='Security'><Select>*[System[EventID=1]]</Select>
    <Select Path='system'>*</Select><Suppress Path="system">*[System[TimeCreated[@SystemTime&lt;'2026-11-22T12:00:00.123Z']]]</Suppress></Query><Query Id='1'/>
    <!-- a & b --><Query Id='2'><Select Path='SYSTEM'><![CDATA[*]]></Select><Suppress Path='System'>*[System[Level=4]]</Suppress><Suppress Path="SYSTEM">*[System[TimeCreated[@SystemTime&lt;'2026-11-22T12:00:00.123Z']]]</Suppress></Query></QueryList>
    "#);
    assert_eq!(
        with_history_suppressed(&list, &["system"], since()).unwrap(),
        list
    );
    assert_eq!(
        with_history_suppressed(LIST, &["Setup"], since()).unwrap(),
        LIST
    );
    assert_eq!(with_history_suppressed(LIST, &[], since()).unwrap(), LIST);
}

#[test]
fn prefixes_and_odd_names_are_kept() {
    let list = "<q:QueryList xmlns:q='urn:q'><q:Query\n Path='A&amp;\"B'><q:Select>*</q:Select></q:Query></q:QueryList>";
    let list = with_history_suppressed(list, &["a&\"b"], since()).unwrap();
    assert!(
        list.contains("<q:Suppress Path=\"A&amp;&quot;B\">"),
        "{list}"
    );
    assert!(Filter::compile(&list).is_ok());
}

#[test]
fn a_name_that_xml_cannot_write_stays_the_same_name() {
    let list = "<QueryList><Query><Select Path='a&#1;b'>*</Select></Query></QueryList>";
    let once = with_history_suppressed(list, &["a\u{1}b"], since()).unwrap();
    assert!(Filter::compile(&once).is_ok());
    let twice = with_history_suppressed(&once, &["a\u{1}b"], since()).unwrap();
    assert_eq!(twice, once);
}

#[test]
fn what_becomes_too_much_is_refused() {
    let select = "<Select Path='A'>*</Select>";
    let list = format!(
        "<QueryList><Query>{}</Query></QueryList>",
        select.repeat(256)
    );
    let error = with_history_suppressed(&list, &["A"], since()).unwrap_err();
    assert_eq!(error.fault, FilterFault::TooManySelectors);
    let list = format!(
        "<QueryList><!--{}--><Query>{select}</Query></QueryList>",
        "x".repeat(QUERY_LIST_BYTES_MAX - 80)
    );
    let error = with_history_suppressed(&list, &["A"], since()).unwrap_err();
    assert_eq!(error.fault, FilterFault::TooLong);
}

#[test]
fn bookmarks_tell_their_channels() {
    let bookmark = "<BookmarkList Direction='backward'>\r\n<Bookmark Channel='Security' RecordId='1'/>\
        <Bookmark Channel='A&amp;B' RecordId='2' IsCurrent='true'/></BookmarkList>";
    assert_eq!(bookmarked_channels(bookmark).unwrap(), ["Security", "A&B"]);
    assert_eq!(bookmarked_channels("<BookmarkList/>").unwrap(), [""; 0]);
    for other in [
        "",
        "http://x/bookmark/earliest",
        "<Cookie><Bookmark Channel='A'/></Cookie>",
        "<BookmarkList",
    ] {
        assert_eq!(bookmarked_channels(other), None, "{other}");
        assert_eq!(channels_without_bookmark(LIST, other).unwrap(), [""; 0]);
    }
    assert_eq!(
        channels_without_bookmark(LIST, bookmark).unwrap(),
        ["system"]
    );
}

fn channel() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Security", "SECURITY", "System", "Setup", "A/B & C"])
}

/// A QueryList of which every Suppress has a Select with its path.
fn query_list() -> impl Strategy<Value = String> {
    let expression = prop::sample::select(vec![
        "*",
        "*[System[EventID=1]]",
        "*[System[EventID=1 or EventID=3]]",
        "*[System[TimeCreated[@SystemTime&lt;'2026-01-01T00:00:05Z']]]",
        "<![CDATA[*[System[EventID<2]]]]>",
    ]);
    let pair = (channel(), expression.clone(), prop::option::of(expression));
    let query = prop::collection::vec(pair, 1..4).prop_map(|pairs| {
        let mut query = "<Query>".to_owned();
        for (channel, select, suppress) in pairs {
            let channel = channel.replace('&', "&amp;");
            query.push_str(&format!("<Select Path='{channel}'>{select}</Select>\n"));
            if let Some(suppress) = suppress {
                query.push_str(&format!("<Suppress Path='{channel}'>{suppress}</Suppress>"));
            }
        }
        query + "</Query>"
    });
    prop::collection::vec(query, 1..4)
        .prop_map(|queries| format!("<QueryList>{}</QueryList>", queries.concat()))
}

proptest! {
    #[test]
    fn only_the_past_of_these_channels_is_held_back(
        list in query_list(),
        gained in prop::collection::vec(channel(), 0..3),
        since in 0..10_000_i64,
        channel in channel(),
        id in 1..4_u32,
        time in 0..10_000_i64,
    ) {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let of = |ms: i64| start + jiff::SignedDuration::from_millis(ms);
        let changed = with_history_suppressed(&list, &gained, of(since)).unwrap();
        prop_assert_eq!(&with_history_suppressed(&changed, &gained, of(since)).unwrap(), &changed);
        prop_assert_eq!(channels(&changed).unwrap(), channels(&list).unwrap());

        let xml = format!(
            "<Event><System><EventID>{id}</EventID><TimeCreated SystemTime='{}'/><Channel>{}</Channel></System></Event>",
            of(time), channel.replace('&', "&amp;")
        );
        let mut index = Index::new();
        event::parse(&xml, &mut index).unwrap();
        let event = event::Event::new(&xml, &index);
        let matches = |list: &str| Filter::compile(list).unwrap().matches(event, start);
        let is_past = time < since && gained.iter().any(|name| name.eq_ignore_ascii_case(channel));
        prop_assert_eq!(matches(&changed), matches(&list) && !is_past);

        // Nothing but Suppresses was added.
        let mut rest = changed.as_str();
        for byte in list.chars() {
            while !rest.starts_with(byte) || rest.starts_with("<Suppress Path=\"") {
                let (_, behind) = rest.split_once("</Suppress>").unwrap();
                rest = behind;
            }
            rest = &rest[byte.len_utf8()..];
        }
        prop_assert_eq!(rest, "");
    }
}

//! Channels, query lists and sets of filters.

use super::*;
use crate::limits::{FILTERS_MAX, QUERY_LIST_BYTES_MAX, QUERY_LIST_SELECTORS_MAX};

fn matches(filter: &str, xml: &str) -> bool {
    let filter = Filter::compile(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    with_event(xml, |event| filter.matches(event, now()))
}

fn fault(filter: &str) -> String {
    let error = Filter::compile(filter).unwrap_err();
    format!("{error} [{}]", &filter[error.at.clone()])
}

#[test]
fn a_filter_is_an_expression_a_channel_or_a_list() {
    assert!(matches("*[System[EventID=4624]]", LOGON));
    assert!(matches("*[System[EventID!=4625]]", LOGON));
    assert!(matches("Security!*[System[EventID!=4625]]", LOGON));
    assert!(matches(" security !", LOGON));
    assert!(!matches("System!*", LOGON));
    assert!(!matches("Security!*[System[EventID=1]]", LOGON));
    assert!(matches(
        "<QueryList><Query><Select Path='Security'>*</Select></Query></QueryList>",
        LOGON
    ));
    insta::assert_snapshot!(fault("Security!*[System[EventID=]]"), @"at byte 26: found ] where a path, a string or a number has to be []]");
    insta::assert_snapshot!(fault("Security"), @"at byte 0: this selects no event: a path begins with * or Event, as in *[System[EventID=4624]] [Security]");
}

#[test]
fn suppress_beats_select_in_its_query_alone() {
    let list = |suppress: &str, other: &str| {
        format!(
            "<QueryList><Query Id='0' Path='SECURITY'><Select>*[System[EventID=4624]]</Select>\
             <Select Path='Application'>*</Select><Suppress Path='{suppress}'>*[EventData[Data='A']]\
             </Suppress></Query>{other}</QueryList>"
        )
    };
    assert!(!matches(&list("Security", ""), LOGON));
    assert!(matches(&list("Application", ""), LOGON));
    let other = "<Query Id='1'><Select Path='Security'>*[System[Level=0]]</Select></Query>";
    assert!(matches(&list("Security", other), LOGON));
    let other = "<Query Id='1'><Select Path='System'>*[System[Level=0]]</Select></Query>";
    assert!(!matches(&list("Security", other), LOGON));
}

#[test]
fn each_query_says_its_own_of_an_event() {
    let list = "<QueryList><Query Id='0'><Select Path='System'>*</Select></Query>\
                <Query Id='1'><Select Path='Security'>*</Select>\
                <Suppress Path='Security'>*[EventData[Data='A']]</Suppress></Query>\
                <Query Id='2'><Select Path='Security'>*[System[EventID=4624]]</Select></Query></QueryList>";
    let filter = Filter::query_list(list).unwrap();
    let said = with_event(LOGON, |event| {
        filter.verdicts(event, now()).collect::<Vec<_>>()
    });
    assert_eq!(said, [(1, Verdict::HeldBack), (2, Verdict::Selected)]);
    let one = Filter::compile("*[System[EventID=1]]").unwrap();
    assert_eq!(
        with_event(LOGON, |event| one.verdicts(event, now()).count()),
        0
    );
}

#[test]
fn expressions_are_read_through_xml() {
    let list = |expression: &str| {
        format!(
            "<?xml version='1.0'?><!-- x --><QueryList><Query><Select Path='Security'>{expression}</Select></Query></QueryList>"
        )
    };
    assert!(matches(
        &list("\n *[System[EventID &gt;= 4624 and EventID&#60;4625]]\n"),
        LOGON
    ));
    assert!(matches(&list("<![CDATA[*[System[EventID<4625]]]]>"), LOGON));
    assert!(matches(
        &list("<!-- logons -->*[System[<!-- id -->EventID=4624]]"),
        LOGON
    ));
    // The place of a fault is that in the XML.
    insta::assert_snapshot!(fault(&list("*[System[EventID &gt;= 1 and not(Level)]]")), @"at byte 102: event queries have no not(): write != instead of =, or put it into a <Suppress> [not]");
    insta::assert_snapshot!(fault(&list("*[System[EventID &gt;&gt; 1]]")), @"at byte 94: found > where a path, a string or a number has to be [&gt;]");
    insta::assert_snapshot!(fault(&list("<!-- a --><![CDATA[*[System[$x=1]]]]>")), @"at byte 101: event queries have no variables: write the value [$]");
    let doubtful = Filter::compile(&list("*[System[Level&lt;3 and EventId=1]]")).unwrap();
    let at = doubtful.warnings()[0].at.clone();
    assert_eq!(&list("*[System[Level&lt;3 and EventId=1]]")[at], "EventId");
}

#[test]
fn lists_that_say_nothing_sure_are_refused() {
    insta::assert_snapshot!(fault("<QueryList><Query>"), @"at byte 18: the query ends before its last element is closed []");
    insta::assert_snapshot!(fault("<QueryList><Query></QueryList>"), @"at byte 18: the query is not well-formed XML: ill-formed document: expected `</Query>`, but `</QueryList>` was found []");
    insta::assert_snapshot!(fault("<QueryList><Select>*</Select></QueryList>"), @"at byte 11: <Select> where <Query> has to be [<Select>]");
    insta::assert_snapshot!(fault("<QueryList><Query><Select Path='a'/></Query></QueryList>"), @"at byte 18: <Select> is empty: it needs an XPath, `*` for everything [<Select Path='a'/>]");
    insta::assert_snapshot!(fault("<QueryList><Query>*</Query></QueryList>"), @"at byte 18: text where an element has to be [*]");
    insta::assert_snapshot!(fault("<QueryList></QueryList>"), @"at byte 0: the query selects nothing: it has no <Select> with an XPath [<QueryList></QueryList>]");
    insta::assert_snapshot!(fault("<Subscription></Subscription>"), @"at byte 0: this is a whole subscription: keep the <QueryList> inside its <Query> alone [<Subscription>]");
    insta::assert_snapshot!(fault("<QueryList><Query><Select a=1>*</Select></Query></QueryList>"), @r#"at byte 18: the query is not well-formed XML: position 9: attribute value must be enclosed in `"` or `'` [<Select a=1>]"#);
    insta::assert_snapshot!(fault("<QueryList/><QueryList/>"), @"at byte 12: <QueryList> where the end has to be [<QueryList/>]");
    insta::assert_snapshot!(fault("<QueryList><Query><Select>*</Select></Query></QueryList>"), @r#"at byte 18: no channel: write <Select Path="Security"> [<Select>*</Select>]"#);
    insta::assert_snapshot!(fault("<QueryList><Query><Select Path='a'>*<b/></Select></Query></QueryList>"), @"at byte 36: <b> where an XPath has to be [<b/>]");
    insta::assert_snapshot!(fault("<QueryList><Query Path='file://c:/x.evtx'><Select>*</Select></Query></QueryList>"), @r#"at byte 42: a path names a channel here, not a file: write Path="Security" [<Select>*</Select>]"#);
    insta::assert_snapshot!(fault("<QueryList><Query><Select Path='a'>*</Select><Suppress Path='b'>*</Suppress></Query></QueryList>"), @"at byte 45: a <Suppress> needs a <Select> with the same Path in its <Query> [<Suppress Path='b'>*</Suppress>]");
    insta::assert_snapshot!(fault("<!DOCTYPE x><QueryList/>"), @"at byte 0: a query has no document type [<!DOCTYPE x>]");
    insta::assert_snapshot!(fault("<QueryList><Query><Select Path='a'>&x;</Select></Query></QueryList>"), @"at byte 35: the query is not well-formed XML: at 1..2: unrecognized entity `x` [&x;]");
    let long = format!("<QueryList>{}", " ".repeat(QUERY_LIST_BYTES_MAX));
    assert_eq!(
        Filter::compile(&long).unwrap_err().fault,
        FilterFault::TooLong
    );
    let select = "<Select Path='a'>*</Select>".repeat(QUERY_LIST_SELECTORS_MAX + 1);
    let many = format!("<QueryList><Query>{select}</Query></QueryList>");
    assert_eq!(
        Filter::compile(&many).unwrap_err().fault,
        FilterFault::TooManySelectors
    );
}

#[test]
fn a_set_finds_what_its_filters_find() {
    let texts = [
        "Security!*[System[EventID=4624]]",
        "security!*[System[EventID=4625]]",
        "SECURITY!*[System[EventID>=4000 and EventID<=9000]]",
        "Security!*[EventData[Data='A']]",
        "System!*",
        "*[System[EventID=4624]]",
        "*[System[EventID=104]]",
        "*",
        "<QueryList><Query><Select Path='Security'>*</Select><Select Path='System'>*</Select>\
         <Suppress Path='Security'>*[System[EventID=4624]]</Suppress></Query></QueryList>",
        "<QueryList><Query><Select Path='System'>*[System[EventID=1]]</Select></Query>\
         <Query><Select Path='System'>*[System[EventID=104]]</Select></Query></QueryList>",
    ];
    let filters: Vec<_> = texts
        .iter()
        .map(|text| Filter::compile(text).unwrap())
        .collect();
    let set = FilterSet::new(filters.clone()).unwrap();
    let mut found = Matches::new();
    for xml in [
        LOGON,
        CLEARED,
        "<Event/>",
        "<Event><System><Channel>x</Channel></System></Event>",
    ] {
        with_event(xml, |event| {
            set.find(event, now(), &mut found);
            let each = filters.iter().enumerate();
            let expected: Vec<_> = each
                .filter(|(_, filter)| filter.matches(event, now()))
                .map(|(number, _)| number)
                .collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{xml}");
            assert_eq!(set.any(event, now()), !expected.is_empty());
        });
    }
    with_event(LOGON, |event| {
        set.find(event, now(), &mut found);
        assert_eq!(found.iter().collect::<Vec<_>>(), [0, 2, 3, 5, 7]);
        assert!(found.contains(7) && !found.contains(8) && !found.contains(800));
    });
}

#[test]
fn channels_are_told_apart_whatever_they_hash_to() {
    let names: Vec<_> = (0..300)
        .map(|number| format!("Same-Long-Prefix-{number}/Same-Suffix"))
        .collect();
    let filters = names
        .iter()
        .map(|name| Filter::compile(&format!("{name}!*")).unwrap());
    let set = FilterSet::new(filters.collect()).unwrap();
    let mut found = Matches::new();
    for (number, name) in names.iter().enumerate() {
        let channel = name.to_uppercase().replace('/', "&#47;");
        let xml = format!("<Event><System><Channel>{channel}</Channel></System></Event>");
        with_event(&xml, |event| set.find(event, now(), &mut found));
        assert_eq!(found.iter().collect::<Vec<_>>(), [number]);
    }
}

#[test]
fn sets_have_a_limit() {
    let filter = Filter::compile("*").unwrap();
    assert!(FilterSet::new(vec![filter.clone(); FILTERS_MAX]).is_ok());
    assert!(FilterSet::new(vec![filter; FILTERS_MAX + 1]).is_err());
    let empty = FilterSet::new(Vec::new()).unwrap();
    let mut found = Matches::new();
    with_event(LOGON, |event| empty.find(event, now(), &mut found));
    assert_eq!(found.iter().count(), 0);
}

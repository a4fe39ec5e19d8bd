//! Each rule of the language on an event.

use super::*;

#[track_caller]
fn check(xml: &str, selecting: &[&str], passing: &[&str]) {
    for query in selecting {
        assert!(selects(query, xml), "{query} must select");
    }
    for query in passing {
        assert!(!selects(query, xml), "{query} must not select");
    }
}

#[test]
fn every_path_of_the_documentation_works() {
    check(
        LOGON,
        &[
            "*",
            "Event",
            "*[System]",
            "*[System/Level=0]",
            "*[System[EventID=4624]]",
            "*[System[(EventID=4624) and (Level=0)]]",
            "Event[System[EventID=4624]]",
            "*/System/EventID=4624",
            "Event/EventData/Data='A'",
            "*[System[Provider[@Name='Microsoft-Windows-Security-Auditing']]]",
            "*[System[Provider[@Name='x' or @Name='Microsoft-Windows-Security-Auditing']]]",
            "*[System/Execution/@ProcessID=780]",
            "*[System[Computer='w1.example' and Channel='Security']]",
            "*[EventData[Data[@Name='LogonType']='3']]",
            "*[EventData/Data[@Name='LogonType']=3]",
            "*[EventData[Data='S-1-5-18']]",
            "*[child::System[attribute::x or child::EventID=4624]]",
            "*[*/EventID=4624]",
            "*[*/*/@Name='Microsoft-Windows-Security-Auditing']",
        ],
        &[
            "*[UserData]",
            "*[System[EventID=4625]]",
            "*[System[Level=4]]",
            "*[System/Execution/@ProcessID=781]",
            "*[EventData[Data[@Name='LogonType']='2']]",
            "*[EventData[Data[@Name='None']]]",
            "*[EventData/Data[@Name='TargetUserSid']='A']",
            "*[System/Security/@UserID]",
            "*[RenderingInfo]",
        ],
    );
}

#[test]
fn conditions_are_joined_inside_and_outside_the_brackets() {
    check(
        LOGON,
        &[
            "*[System[EventID=4624]] and *[EventData[Data='A']]",
            "(*[System[EventID=1]]) or (*[EventData[Data='A']])",
            "*[System[EventID=4624] and EventData[Data='A' and Data='B']]",
            "*[System[EventID=1 or EventID=2 OR EventID=4624]]",
            "*[System[EventID=1 or (Level=0 AND EventID=4624)]]",
            // and binds before or.
            "*[System[EventID=4624 or EventID=1 and EventID=2]]",
        ],
        &[
            "*[System[EventID=4624]] and *[EventData[Data='C']]",
            "*[System[(EventID=4624 or EventID=1) and EventID=2]]",
            "*[EventData[Data[@Name='Group']='A' and Data[@Name='Group']='C']]",
            "*[EventData[Data[@Name='Group' and @Name='Other']]]",
        ],
    );
}

#[test]
fn one_of_several_is_enough() {
    check(
        LOGON,
        &[
            "*[EventData[Data[@Name='Group']='B']]",
            "*[EventData[Data[@Name='Group']!='A']]",
            "*[EventData[Data[@Name='Group']!='B']]",
            "*[EventData[Data!='A']]",
        ],
        &[
            "*[EventData[Data[@Name='LogonType']!='3']]",
            // Nothing there is nothing that differs.
            "*[EventData[Data[@Name='None']!='x']]",
            "*[UserData/X!='x']",
            "*[System/Security/@UserID!='S-1-5-18']",
        ],
    );
}

#[test]
fn numbers_compare_as_numbers() {
    check(
        LOGON,
        &[
            "*[System[EventID>4623 and EventID<=4624 and EventID<4624.5]]",
            "*[System[4624=EventID and 4625>EventID]]",
            "*[System[(EventID)=(4624)]]",
            "*[System[EventID='4624' and EventID!='x' and EventID!=-1 and EventID>-1]]",
            "*[System[Keywords='0x8020000000000000' and Keywords=0x8020000000000000]]",
            "*[System[Keywords=9232379236109516800 and Keywords!=9232379236109516801]]",
            "*[System[EventRecordID>=81444.0]]",
            "*[EventData[Data[@Name='LogonType']=3 and Data[@Name='LogonType']=3.0]]",
            "*[EventData[Data[@Name='TargetLogonId']=999]]",
            "*[EventData[Data[@Name='TargetLogonId']='0x3e7']]",
            "*[EventData[Data[@Name='TargetLogonId']='0x000003E7']]",
            "*[EventData[Data[@Name='Share']>7.4 and Data[@Name='Share']<'8']]",
            "*[EventData[Data[@Name='TargetUserSid']!=5]]",
        ],
        &[
            "*[System[EventID>4624]]",
            "*[System[EventID='x' or EventID=4624.5 or EventID=99999999999]]",
            "*[System[Keywords=9232379236109516801]]",
            "*[EventData[Data[@Name='LogonType']='03']]",
            "*[EventData[Data[@Name='TargetLogonId']='999']]",
            "*[EventData[Data[@Name='TargetUserSid']<5 or Data[@Name='TargetUserSid']=5]]",
            "*[EventData[Data[@Name='Empty']=0]]",
        ],
    );
}

#[test]
fn text_compares_letter_by_letter_after_decoding() {
    check(
        LOGON,
        &[
            "*[EventData[Data[@Name='TargetUserName']='j&d']]",
            "*[EventData[Data[@Name=\"TargetUserName\"]=\"j&d\"]]",
            "*[EventData[Data[@Name='Empty']='']]",
            "*[EventData[Data[@Name='Empty']]]",
            "*[EventData[Data[text()='A']]]",
            "*[EventData/Data/text()='A']",
            "*[EventData/Data[text()]/@Name='Group']",
            // GUIDs are the same in any case.
            "*[System[Provider[@Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}']]]",
            "*[System/Correlation/@ActivityID='{B073A4BF-7611-0000-BCA5-73B01176DA01}']",
        ],
        &[
            "*[EventData[Data[@Name='TargetUserName']='j&amp;d']]",
            "*[EventData[Data[@Name='TargetUserName']='J&D']]",
            "*[EventData[Data[@Name='targetusername']]]",
            "*[System[Computer='W1.example']]",
            "*[EventData/Data[@Name='Empty']/text()]",
            "*[System[Provider[@Guid='54849625-5478-4994-a5ba-3e3b0328c30d']]]",
        ],
    );
}

#[test]
fn times_and_their_distance() {
    check(
        LOGON,
        &[
            "*[System[TimeCreated[timediff(@SystemTime) <= 60000]]]",
            "*[System[TimeCreated[timediff(@SystemTime) = 60000]]]",
            "*[System[TimeCreated[60001 > timediff(@SystemTime)]]]",
            "*[System/TimeCreated[timediff(@SystemTime) <= (86400000)]]",
            "*[System[TimeCreated[@SystemTime>='2026-03-14T13:54:16.6138329Z']]]",
            "*[System[TimeCreated[@SystemTime>='2026-03-14T13:54:16' and @SystemTime<'2026-03-14T13:54:17z']]]",
            "*[System[TimeCreated[@SystemTime='2026-03-14T14:54:16.6138329+01:00']]]",
            "*[System[TimeCreated[@SystemTime!='x']]]",
            "*[System[TimeCreated[timediff(@SystemTime, '2026-03-14T13:54:17Z')=386]]]",
            "*[System[TimeCreated[timediff('2026-03-14T13:54:17Z', @SystemTime)=-386]]]",
            // FILETIME of 2026-03-14T13:54:17Z.
            "*[System[TimeCreated[timediff(@SystemTime, 134179700570000000)=386]]]",
            "*[EventData/Data[@Name='Seen']<'2026-03-14T13:00:01Z']",
            "*[EventData[timediff(Data[@Name='Seen'])>3300000]]",
        ],
        &[
            "*[System[TimeCreated[timediff(@SystemTime) < 60000]]]",
            "*[System[TimeCreated[@SystemTime>'2026-03-14T13:54:16.6138329Z']]]",
            "*[System[TimeCreated[@SystemTime='x' or @SystemTime=5 or @SystemTime<5]]]",
            "*[EventData[timediff(Data[@Name='LogonType'])>0]]",
            "*[EventData/Data[@Name='LogonType']<'2026-03-14T13:00:01Z']",
        ],
    );
}

#[test]
fn bits_of_masks() {
    check(
        LOGON,
        &[
            "*[System[band(Keywords, 9007199254740992)]]",
            "*[System[Band(Keywords,13510798882111488)]]",
            "*[System[band(0x8000000000000000, Keywords)]]",
            "*[System[band(Keywords,'0x8020000000000000')]]",
            "*[EventData[band(Data[@Name='TargetLogonId'], 0x100)]]",
            "*[EventData[Data[@Name='TargetLogonId' and band(text(), 1)]]]",
        ],
        &[
            "*[System[band(Keywords, 4503599627370496)]]",
            "*[System[band(Keywords, 0)]]",
            "*[EventData[band(Data[@Name='TargetLogonId'], 0x8)]]",
            "*[EventData[band(Data[@Name='TargetUserSid'], 0xffff)]]",
            "*[EventData[band(Data[@Name='None'], 0xffff)]]",
        ],
    );
}

#[test]
fn positions_are_counted_among_what_came_so_far() {
    check(
        LOGON,
        &[
            "*[EventData[Data[1]='S-1-5-18']]",
            "*[EventData[Data[position()=1]='S-1-5-18']]",
            "*[EventData/Data[5]/@Name='Group']",
            "*[EventData/Data[@Name='Group'][2]='B']",
            "*[EventData/Data[position()>8]/@Name='Seen']",
            "*[EventData/*[9]/@Name='Seen']",
            "*[EventData/Data[2][@Name='TargetUserName']]",
            "*[System[1]/EventID[position()=1]=4624]",
        ],
        &[
            "*[EventData[Data[2]='S-1-5-18']]",
            "*[EventData/Data[@Name='Group'][1]='B']",
            "*[EventData/Data[2][@Name='Group']]",
            "*[EventData/Data[10] or EventData/Data[0] or EventData/Data[1.5]]",
            "*[System[2]/EventID=4624]",
        ],
    );
}

#[test]
fn trees_are_walked_by_name() {
    check(
        CLEARED,
        &[
            "*[UserData/LogFileCleared]",
            "*[UserData[LogFileCleared[SubjectUserName='admin']]]",
            "*[UserData/*/SubjectUserName=\"admin\" and System/Level=4]",
            "*[UserData/LogFileCleared/@Kind='full']",
            "*[UserData/*[@Kind='full']/Part/Id=2]",
            "*[UserData/*/Part[Id=1] and UserData/*/Part[2]/Id='2']",
            "*[UserData/*/Part/text()='mixed']",
            "*[UserData/*/*[1]='admin' and UserData/*/Nothing='']",
            "*[UserData/*/@*='full']",
            "*[*/LogFileCleared]",
            "*[System[EventID[@Qualifiers=16384]=104]]",
            "*[System/Security[@UserID='S-1-5-21-1']]",
        ],
        &[
            "*[EventData]",
            "*[UserData/Part]",
            "*[UserData/*/Part[Id=1][Id=2]]",
            "*[UserData/*/Part[3]]",
            "*[UserData/*/Nothing/text()]",
            "*[UserData/*/SubjectUserName/@Kind]",
            "*[UserData/LogFileCleared='admin']",
            "*[UserData/l]",
            "*[EventData[Data='admin']]",
        ],
    );
}

#[test]
fn rendered_text_is_there_when_it_was_sent() {
    check(
        CLEARED,
        &[
            "*[RenderingInfo[@Culture='en-US'][Message='The log was cleared.']]",
            "*[RenderingInfo/Keywords/Keyword='Audit']",
            "*[RenderingInfo/Keywords[Keyword[2]='Audit']]",
            "*[*/Level='Information']",
        ],
        &[
            "*[RenderingInfo/Keywords/Keyword[1]='Audit']",
            "*[RenderingInfo/Task]",
        ],
    );
}

#[test]
fn binary_payloads_are_one_value() {
    let event = "<Event><System><EventID>1</EventID></System><BinaryEventData>00FF</BinaryEventData></Event>";
    check(
        event,
        &["*[BinaryEventData='00FF']", "*[BinaryEventData/text()]"],
        &[
            "*[EventData]",
            "*[EventData/Binary]",
            "*[EventData/*='00FF']",
        ],
    );
}

#[test]
fn events_without_what_is_asked_do_not_match() {
    check(
        "<Event><System/></Event>",
        &["*", "*[1]"],
        &[
            "*[System]",
            "*[System[1]]",
            "*[System[EventID]]",
            "*[System[EventID!=1]]",
            "*[System[EventID!='x']]",
            "*[System[Level!=1 or Keywords!='x' or Channel!='x']]",
            "*[System/TimeCreated[timediff(@SystemTime)>-1]]",
        ],
    );
    check("nonsense", &["*"], &["*[System]", "*[EventData]"]);
}

#[test]
fn names_that_events_do_not_have_are_warned_of() {
    let warnings = |query: &str| {
        let expression = Expression::compile(query).unwrap();
        let warnings = expression.warnings().iter();
        let warnings =
            warnings.map(|warning| format!("{} [{}]", warning.doubt, &query[warning.at.clone()]));
        warnings.collect::<Vec<_>>().join("; ")
    };
    insta::assert_snapshot!(warnings("*[System[EventId=4624]]"), @"this never holds: events have no EventId here, but EventID: case matters [EventId]");
    insta::assert_snapshot!(warnings("*[System[Provider[@name='x']]]"), @"this never holds: events have no @name here, but Name: case matters [@name]");
    insta::assert_snapshot!(warnings("*[System[UserID='x']]"), @"this never holds: events have no UserID here [UserID]");
    insta::assert_snapshot!(warnings("*[System[EventID=1]] or EventID=2"), @"this never holds: a path outside brackets begins with * or Event [EventID]");
    insta::assert_snapshot!(warnings("*[EventData='x']"), @"this never holds: the element has no value of its own [EventData]");
    insta::assert_snapshot!(warnings("*[System[Computer>'a']]"), @"this never holds: < and > compare numbers and times, and this is neither [Computer]");
    insta::assert_snapshot!(warnings("*[EventData[data='x'] or eventdata]"), @"this never holds: events have no data here, but Data: case matters [data]; this never holds: events have no eventdata here, but EventData: case matters [eventdata]");
    insta::assert_snapshot!(warnings("*[*[EventID=1]]"), @"");
    let many = format!("*[System[{}]]", vec!["Level=1"; 33].join(" or "));
    assert!(warnings(&many).starts_with("Windows is documented to take 32 conditions"));
}

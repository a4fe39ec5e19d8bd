use super::*;

#[test]
fn a_whole_event_is_read() {
    let text = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
        <Provider Name='P' Guid='{a}'/><EventID Qualifiers='49152'>8198</EventID><Level>16</Level>\
        <Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2022-09-22T07:49:32.0356778Z'/>\
        <EventRecordID>7</EventRecordID><Execution ProcessID='4' ThreadID='8'/><Channel>Security</Channel>\
        <Computer>dc</Computer><Security UserID='S-1-5-18'/></System>\
        <EventData><Data Name='a'>1 &lt; 2</Data><Data/></EventData></Event>";
    let mut index = Index::new();
    parse(text, &mut index).unwrap();
    let event = Event::new(text, &index);
    assert_eq!(event.provider_name().as_deref(), Some("P"));
    assert_eq!(event.event_id(), Some(8198));
    assert_eq!(event.data_value("a").as_deref(), Some("1 < 2"));
    let mut bytes = Vec::new();
    index.encode(&mut bytes);
    let mut decoded = Index::new();
    decoded.decode(&bytes, text).unwrap();
    assert_eq!(decoded, index);
}

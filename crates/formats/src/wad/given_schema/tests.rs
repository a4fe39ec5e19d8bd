use super::*;

const SCHEMA: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:a">
  <xs:simpleType name="Name"><xs:restriction base="xs:string">
    <xs:pattern value="^[a-z][^\:\&lt;]*(?&lt;![\.\s])$"/>
  </xs:restriction></xs:simpleType>
  <xs:simpleType name="Broken"><xs:restriction base="xs:string"><xs:pattern value="(?=a)b"/></xs:restriction></xs:simpleType>
  <xs:complexType name="Base"><xs:sequence><xs:element name="one" type="Name" maxOccurs="unbounded"/></xs:sequence>
    <xs:attribute name="number" type="xs:unsignedByte" use="required"/></xs:complexType>
  <xs:complexType name="More"><xs:complexContent><xs:extension base="Base"><xs:sequence>
    <xs:choice minOccurs="0" maxOccurs="2"><xs:element name="two" type="xs:boolean"/><xs:element name="three" type="Broken"/></xs:choice>
    </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:element name="root" type="More"><xs:key name="k"/></xs:element>
</xs:schema>"#;

fn told(schema: &GivenSchema, inside: &str) -> String {
    let file = format!("<root number='1'>{inside}</root>");
    let findings = schema.check(file.as_bytes());
    let lines = findings
        .iter()
        .map(|of| format!("{}:{} {}\n", of.at.line, of.at.column, of.fault));
    lines.collect()
}

#[test]
fn what_is_repaired_or_not_read_is_named() {
    let schema = GivenSchema::load(SCHEMA.as_bytes()).unwrap();
    let notes: String = schema
        .notes
        .iter()
        .map(|note| format!("{} {}\n", note.at, note.what))
        .collect();
    insta::assert_snapshot!(notes, @r#"
    line 3, column 5 the pattern is anchored, as in .NET: ^ and $ are taken away, since a pattern meets the whole value
    line 3, column 5 the pattern looks behind itself, as in .NET: what must not stand at the end is checked apart
    line 5, column 65 the pattern cannot be used, and is not checked: error: look-around, including look-ahead and look-behind, is not supported
    line 11, column 39 <key> is not read, and not checked
    "#);
}

#[test]
fn a_document_is_what_the_schema_says() {
    let schema = GivenSchema::load(SCHEMA.as_bytes()).unwrap();
    assert_eq!(told(&schema, "<one>a b</one><one>a</one>"), "");
    assert_eq!(
        told(&schema, "<one>a</one><three>x</three><two> true </two>"),
        ""
    );
    let wrong = [
        "",
        "<two>true</two>",
        "<one>a.</one>",
        "<one>A</one>",
        "<one>a</one><two>yes</two>",
        "<one>a</one><two>1</two><two>1</two><two>1</two>",
        "<one>a</one><one a='b'>a</one>text",
        "<one>a</one><other/>",
    ];
    let told: String = wrong.iter().map(|inside| told(&schema, inside)).collect();
    insta::assert_snapshot!(told, @r#"
    1:1 by the schema: <root> is not complete; there can be one
    1:18 by the schema: <two> may not stand here in <root>; there can be one
    1:18 by the schema: <one> is "a.": it has to meet ^[a-z][^\:\<]*(?<![\.\s])$
    1:18 by the schema: <one> is "A": it has to meet ^[a-z][^\:\<]*(?<![\.\s])$
    1:30 by the schema: <two> is "yes": it has to be true or false
    1:54 by the schema: <two> may not stand here in <root>
    1:1 by the schema: text in <root>, which takes none
    1:35 by the schema: <one> takes no attribute a
    1:30 by the schema: <other> may not stand here in <root>; there can be one, three, two
    "#);
    let attributes = schema.check(b"<root number='256' other=''><one>a</one></root>");
    assert_eq!(attributes.len(), 2);
}

#[test]
fn what_is_no_schema_is_said() {
    let error = |text: &str| GivenSchema::load(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("<a/>"), "this is no XML Schema: it begins with <a>");
    assert!(error("<a").contains("not well-formed"));
    assert_eq!(
        error(&SCHEMA.replace("\"More\"><xs:key", "\"Less\"><xs:key")),
        "line 11, column 27: there is no type Less"
    );
}

#[test]
fn our_own_schema_is_read_whole() {
    let schema = GivenSchema::load(super::super::xsd().as_bytes()).unwrap();
    assert_eq!(schema.notes, []);
    let whole = include_bytes!("../tests/whole.xml");
    assert_eq!(schema.check(whole), []);
    let wrong = String::from_utf8_lossy(whole).replace("wad-iis-logfiles", "IIS");
    assert_eq!(schema.check(wrong.as_bytes()).len(), 1);
}

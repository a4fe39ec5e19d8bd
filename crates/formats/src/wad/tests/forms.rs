use super::*;

#[test]
fn every_form_says_the_same() {
    let whole = sound(WHOLE.as_bytes());
    for form in [Form::XmlFull, Form::Json, Form::Base64] {
        let printed = print(&whole, form, Secrets::Reveal);
        assert_eq!(sound(printed.as_bytes()), whole, "{printed}");
    }
    let public = sound(print(&whole, Form::Xml, Secrets::Reveal).as_bytes());
    assert_eq!(public.public, whole.public);
    assert_eq!(public.private, None);
}

//! Structured Fields ([RFC 9651](https://www.rfc-editor.org/rfc/rfc9651)), as far as caching needs them: lists and
//! dictionaries, without their parameters, which none of the fields here gives a meaning.
//!
//! Each line is read on its own, which [§3.1](https://www.rfc-editor.org/rfc/rfc9651#section-3.1) leaves open: a member
//! that is split over two lines makes the field malformed instead of depending on what joined them.

use super::{Line, list, values};
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor,
    ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};
use std::borrow::Cow;
use std::convert::Infallible;

/// A member of a list or of a dictionary.
#[derive(Clone, Debug)]
pub(super) enum Member<'a> {
    /// A single item.
    Item(BareItemFromInput<'a>),
    /// Items in brackets.
    InnerList(Vec<BareItemFromInput<'a>>),
}

/// The members of a dictionary, in order. Of several with one key, only the last counts.
pub(super) type Dictionary<'a> = Vec<(&'a str, Member<'a>)>;

/// Reads every line named `name` (given in lower case) as parts of one dictionary; empty where none is there, `None`
/// where one is malformed.
pub(super) fn dictionary<'a>(lines: &'a [Line<'a>], name: &'a str) -> Option<Dictionary<'a>> {
    let mut members = Vec::new();
    for value in values(lines, name) {
        let visitor = Collected(&mut members);
        let parser = Parser::new(list::trim(value));
        parser.parse_dictionary_with_visitor(visitor).ok()?;
    }
    Some(members)
}

/// Reads every line named `name` (given in lower case) as parts of one list of strings; empty where none is there,
/// `None` where one is malformed or has a member that is no string.
pub(super) fn strings<'a>(lines: &'a [Line<'a>], name: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut members = Vec::new();
    for value in values(lines, name) {
        let visitor = Collected(&mut members);
        let parser = Parser::new(list::trim(value));
        parser.parse_list_with_visitor(visitor).ok()?;
    }
    let strings = members.into_iter().map(|member| match member {
        Member::Item(item) => text(item),
        Member::InnerList(_) => None,
    });
    strings.collect()
}

/// What an item says where it is a string.
pub(super) fn text(item: BareItemFromInput<'_>) -> Option<Cow<'_, str>> {
    match item {
        BareItemFromInput::String(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_str())),
        BareItemFromInput::String(Cow::Owned(text)) => Some(Cow::Owned(text.into())),
        _ => None,
    }
}

struct Collected<'v, T>(&'v mut Vec<T>);

impl<'a> DictionaryVisitor<'a> for Collected<'_, (&'a str, Member<'a>)> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        Ok(Entry(|member| self.0.push((key.as_str(), member))))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'a> ListVisitor<'a> for Collected<'_, Member<'a>> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'a>, Infallible> {
        Ok(Entry(|member| self.0.push(member)))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Hands one member on.
struct Entry<F>(F);

impl<'a, F: FnOnce(Member<'a>)> EntryVisitor<'a> for Entry<F> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(|item: BareItemFromInput<'a>| {
            (self.0)(Member::Item(item));
            Ok::<_, Infallible>(Ignored)
        })
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        Ok(InnerList {
            items: Vec::new(),
            add: self.0,
        })
    }
}

struct InnerList<'a, F> {
    items: Vec<BareItemFromInput<'a>>,
    add: F,
}

impl<'a, F: FnOnce(Member<'a>)> InnerListVisitor<'a> for InnerList<'a, F> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(|item: BareItemFromInput<'a>| {
            self.items.push(item);
            Ok::<_, Infallible>(Ignored)
        })
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, Infallible> {
        (self.add)(Member::InnerList(self.items));
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::{dictionary, strings};
    use crate::fields::Line;

    fn lines<'a>(values: &'a [&'a str]) -> Vec<Line<'a>> {
        let lines = values
            .iter()
            .map(|value| Line::new(b"X-Field", value.as_bytes()));
        lines.collect()
    }

    #[test]
    fn lists_of_strings() {
        let table: &[(&[&str], Option<&[&str]>)] = &[
            (&[], Some(&[])),
            (&[""], Some(&[])),
            (&[" \"a\" ,\t\"b\""], Some(&["a", "b"])),
            (&["\t\"a\"\t"], Some(&["a"])),
            (&["\"a\"", "", "\"b\""], Some(&["a", "b"])),
            (&[r#""a\"\\b", "c""#], Some(&[r#"a"\b"#, "c"])),
            (&["\"a\";x;y=1"], Some(&["a"])),
            (&["\"a, b\""], Some(&["a, b"])),
            (&["a"], None),
            (&["(\"a\")"], None),
            (&["\"a\","], None),
            (&["\"a\" \"b\""], None),
            (&["\"a", "b\""], None),
            (&["\"a\"", "1"], None),
            (&["\"\u{e4}\""], None),
        ];
        for (values, expected) in table {
            let lines = lines(values);
            let found = strings(&lines, "x-field");
            let expected = expected.map(|names| names.iter().map(|name| (*name).into()).collect());
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn dictionaries() {
        let table: &[(&[&str], Option<&[&str]>)] = &[
            (&[], Some(&[])),
            (&["a=1, b;c=2,d=(1 2);e"], Some(&["a", "b", "d"])),
            (&["a", "b"], Some(&["a", "b"])),
            (&["a, a=2"], Some(&["a", "a"])),
            (&["A=1"], None),
            (&["a =1"], None),
            (&["a= 1"], None),
            (&["a,, b"], None),
            (&["a", "&"], None),
        ];
        for (values, expected) in table {
            let lines = lines(values);
            let found = dictionary(&lines, "x-field");
            let found = found.map(|members| members.iter().map(|(key, _)| *key).collect());
            assert_eq!(found, expected.map(<[&str]>::to_vec), "{values:?}");
        }
    }
}

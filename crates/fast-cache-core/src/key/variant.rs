//! Keys of the variants of a response: what requests say under the names in `Vary`, as far as it differs
//! ([RFC 9111 §4.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.1)).

use super::build::push_header;
use super::encode::push_part;
use super::inputs::{is_plain, may_be_credential};
use super::{Key, KeyRef, Secret};
use crate::fields::language::{normalised, preferred};
use crate::fields::list::trim;
use crate::fields::{Line, values};
use smallvec::SmallVec;

const VARIANT: u8 = 1;
const ACCEPT_LANGUAGE: &str = "accept-language";

/// The most languages that a client likes best and for which a response is looked for.
const MAX_PREFERRED: usize = 4;

/// Builds the key of one variant: the primary key and what the request says under each of `names`.
///
/// Several lines of one name are one list, and blanks around its commas mean nothing; only credentials are compared byte
/// for byte.
pub fn variant_key<'b>(
    primary: &[u8],
    names: &[Box<str>],
    secret: &Secret,
    lines: &[Line<'_>],
    buffer: &'b mut Vec<u8>,
) -> KeyRef<'b> {
    build(primary, names, secret, lines, &Language::AsSent, buffer)
}

/// How a request selects among variants.
#[derive(Clone, Copy, Debug)]
pub struct Selecting<'a> {
    /// The request's header lines.
    pub lines: &'a [Line<'a>],
    /// Values of `Accept-Language` that ask for the same are one.
    pub normalize_language: bool,
}

impl Selecting<'_> {
    /// The keys under which a variant for the request may stand, the likeliest first.
    pub fn candidates(
        &self,
        primary: &[u8],
        names: &[Box<str>],
        secret: &Secret,
    ) -> SmallVec<[Key; 1]> {
        let mut keys = SmallVec::new();
        let mut key_of = |language: &Language<'_>| {
            let mut buffer = Vec::with_capacity(primary.len() + 64);
            keys.push(build(primary, names, secret, self.lines, language, &mut buffer).to_owned());
        };
        if !self.heeds_language(names) {
            key_of(&Language::AsSent);
            return keys;
        }
        let liked = preferred(values(self.lines, ACCEPT_LANGUAGE));
        for language in liked.iter().take(MAX_PREFERRED) {
            key_of(&Language::One(language));
        }
        key_of(&Language::Normalised);
        keys
    }

    /// The key under which the response to the request is stored, a response in the languages that `content_language`
    /// says.
    ///
    /// A response in the one language that the client likes best answers everybody who likes that best.
    pub fn stored(
        &self,
        primary: &[u8],
        names: &[Box<str>],
        secret: &Secret,
        content_language: Option<&[u8]>,
    ) -> Key {
        let mut buffer = Vec::with_capacity(primary.len() + 64);
        let liked;
        let language = if self.heeds_language(names) {
            let spoken = content_language.map(|value| trim(value).to_ascii_lowercase());
            liked = preferred(values(self.lines, ACCEPT_LANGUAGE));
            let matches = |language: &&Vec<u8>| spoken.as_ref() == Some(*language);
            match liked.iter().take(MAX_PREFERRED).find(matches) {
                Some(language) => Language::One(language),
                None => Language::Normalised,
            }
        } else {
            Language::AsSent
        };
        build(primary, names, secret, self.lines, &language, &mut buffer).to_owned()
    }

    fn heeds_language(&self, names: &[Box<str>]) -> bool {
        self.normalize_language && names.iter().any(|name| &**name == ACCEPT_LANGUAGE)
    }
}

/// What stands in a key for `Accept-Language`.
enum Language<'a> {
    /// What the client sent, like any list.
    AsSent,
    /// The languages in the order of preference.
    Normalised,
    /// One language, in which the response is.
    One(&'a [u8]),
}

fn build<'b>(
    primary: &[u8],
    names: &[Box<str>],
    secret: &Secret,
    lines: &[Line<'_>],
    language: &Language<'_>,
    buffer: &'b mut Vec<u8>,
) -> KeyRef<'b> {
    buffer.clear();
    buffer.push(VARIANT);
    push_part(buffer, primary);
    for name in names {
        push_part(buffer, name.as_bytes());
        match language {
            Language::Normalised if &**name == ACCEPT_LANGUAGE => {
                buffer.push(2);
                push_part(buffer, &normalised(values(lines, ACCEPT_LANGUAGE)));
            }
            Language::One(language) if &**name == ACCEPT_LANGUAGE => {
                buffer.push(3);
                push_part(buffer, language);
            }
            _ => push_selecting(buffer, name, secret, lines),
        }
    }
    KeyRef {
        digest: secret.digest(buffer),
        bytes: buffer,
    }
}

fn push_selecting(out: &mut Vec<u8>, name: &str, secret: &Secret, lines: &[Line<'_>]) {
    if may_be_credential(name) || matches!(name, "authorization" | "cookie") {
        out.push(1);
        push_header(out, name, secret, lines);
        return;
    }
    let mut present = values(lines, name).peekable();
    if present.peek().is_none() {
        out.push(0);
        return;
    }
    out.push(4);
    let combined = combined(present);
    if is_plain(name) {
        push_part(out, &combined);
    } else {
        out.extend_from_slice(&secret.conceal(&combined));
    }
}

/// Several lines as one list, without blanks around its commas, save in quotes.
fn combined<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut list = Vec::with_capacity(64);
    for (number, line) in lines.enumerate() {
        if number > 0 {
            list.push(b',');
        }
        let (mut quoted, mut escaped) = (false, false);
        for &byte in trim(line) {
            let after_comma = !quoted && list.last() == Some(&b',');
            match byte {
                b' ' | b'\t' if after_comma => continue,
                b',' if !quoted => {
                    while matches!(list.last(), Some(b' ' | b'\t')) {
                        list.pop();
                    }
                }
                b'"' if !escaped => quoted = !quoted,
                _ => {}
            }
            escaped = quoted && byte == b'\\' && !escaped;
            list.push(byte);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::{Selecting, combined};
    use crate::fields::Line;
    use crate::key::Secret;

    #[test]
    fn lists_are_compared_by_their_members() {
        for (lines, expected) in [
            (vec!["1, 2"], "1,2"),
            (vec!["1", "2"], "1,2"),
            (vec![" 1 ,\t2 "], "1,2"),
            (vec!["1 2"], "1 2"),
            (vec!["\"a, b\" , c"], "\"a, b\",c"),
            (vec!["\"a\\\", b\" , c"], "\"a\\\", b\",c"),
            (vec!["\"a , b", "c , d"], "\"a , b,c,d"),
            (vec![""], ""),
        ] {
            let list = combined(lines.iter().map(|line| line.as_bytes()));
            assert_eq!(list, expected.as_bytes(), "{lines:?}");
        }
    }

    #[test]
    fn a_response_in_the_language_liked_best_answers_all_who_like_it_best() {
        let secret = Secret::from_bytes(&[7; 48]);
        let names = ["accept-language".into()];
        let stored = |accepted: &str, spoken: Option<&str>| {
            let lines = [Line::new(b"accept-language", accepted.as_bytes())];
            let selecting = Selecting {
                lines: &lines,
                normalize_language: true,
            };
            selecting.stored(b"p", &names, &secret, spoken.map(str::as_bytes))
        };
        let finds = |accepted: &str, key: &crate::key::Key| {
            let lines = [Line::new(b"accept-language", accepted.as_bytes())];
            let selecting = Selecting {
                lines: &lines,
                normalize_language: true,
            };
            selecting
                .candidates(b"p", &names, &secret)
                .iter()
                .any(|candidate| candidate == key)
        };
        let german = stored("en, de", Some("de"));
        assert!(finds("fr;q=0.5, de;q=1.0", &german));
        assert!(finds("DE , en", &german));
        assert!(!finds("fr, de;q=0.5", &german));
        assert!(!finds("en", &german));
        let second_best = stored("fr, de;q=0.5", Some("de"));
        assert!(finds("de;q=0.5,fr", &second_best));
        assert!(!finds("de", &second_best));
        let unsaid = stored("en, de", None);
        assert!(finds("de, EN", &unsaid) && !finds("en", &unsaid));
    }
}

//! What a writing route drops, from templates that its requests fill.

use fast_cache_core::fields::Line;
use fast_cache_core::policy::canonical_spellings;
use fast_cache_core::purge::{Cover, Label, PathPattern, Purge};
use fast_cache_core::request::Method;
use fast_cache_core::route::Template;
use fast_cache_core::rules::invalidation::{Target, invalidated};
use std::collections::HashMap;

/// A part of a drop that is filled from the writing request's path parameters.
#[derive(Clone, Debug)]
pub enum Filled {
    /// The path that comes of it and everything below.
    Subtree(Template),
    /// Every path that the glob which comes of it describes.
    Glob(Template),
    /// The tag that comes of it.
    Tag(Template),
}

impl Filled {
    /// What it covers for a request with these parameters, in every spelling of their values; nothing where one is
    /// missing.
    pub fn covers<'v>(&self, parameter: impl Fn(&str) -> Option<&'v str>) -> Vec<Cover> {
        let (Self::Subtree(template) | Self::Glob(template) | Self::Tag(template)) = self;
        let texts = spellings(template, parameter).unwrap_or_default();
        let cover = |text: String| match self {
            Self::Subtree(_) => Cover::Label(Label::subtree(&text)),
            Self::Tag(_) => Cover::Label(Label::tag(&text)),
            // One label instead of a pattern for every value; it covers the path itself as well.
            Self::Glob(template) => match text.strip_suffix("/*") {
                Some(prefix) if ends_in_its_only_star(template) => {
                    Cover::Label(Label::subtree(prefix))
                }
                _ => Cover::Path(PathPattern::glob(&text)),
            },
        };
        texts.into_iter().map(cover).collect()
    }
}

/// The template filled with the parameters as they were written, and in every other way to write what they may mean;
/// `None` where one is missing.
pub fn spellings<'v>(
    template: &Template,
    parameter: impl Fn(&str) -> Option<&'v str>,
) -> Option<Vec<String>> {
    let mut chosen: Vec<HashMap<&str, String>> = vec![HashMap::new()];
    for named in template.parameters() {
        let name = &*named.name;
        if chosen[0].contains_key(name) {
            continue;
        }
        let written = parameter(name)?;
        let others = canonical_spellings(written);
        let all = std::iter::once(written.to_owned()).chain(others);
        chosen = all
            .flat_map(|spelling| {
                chosen.iter().cloned().map(move |mut values| {
                    values.insert(name, spelling.clone());
                    values
                })
            })
            .collect();
    }
    chosen
        .iter()
        .map(|values| template.fill(|name| values.get(name).map(String::as_str)))
        .collect()
}

/// What a write to `target` drops in HTTP mode, once it was answered with this status and these lines; `None` for
/// nothing ([RFC 9111 §4.4](https://www.rfc-editor.org/rfc/rfc9111#section-4.4)).
pub fn invalidation(
    target: &Target,
    method: Method<'_>,
    status: u16,
    lines: &[Line<'_>],
) -> Option<Purge> {
    let labels = invalidated(target, method, status, lines);
    (!labels.is_empty()).then(|| Purge {
        covers: labels.into_iter().map(Cover::Label).collect(),
        soft: false,
    })
}

/// Whether the author wrote one `*`, as the last segment; one that a parameter holds is none of the author's.
fn ends_in_its_only_star(template: &Template) -> bool {
    template
        .fill(|_| Some("."))
        .is_some_and(|text| text.ends_with("/*") && text.matches('*').count() == 1)
}

#[cfg(test)]
mod tests {
    use super::{Filled, spellings};
    use fast_cache_core::purge::{Cover, Label};
    use fast_cache_core::route::parse_template;

    #[test]
    fn values_are_filled_in_every_spelling() {
        let template = parse_template("user:{id}").expect("a template");
        assert_eq!(spellings(&template, |_| None), None);
        let texts = spellings(&template, |_| Some("07")).expect("a parameter");
        assert!(texts.contains(&"user:07".to_owned()) && texts.contains(&"user:7".to_owned()));
    }

    #[test]
    fn a_glob_that_ends_in_its_only_star_is_one_label() {
        let covers = |text: &str, value: &'static str| {
            let template = parse_template(text).expect("a template");
            Filled::Glob(template).covers(|_| Some(value))
        };
        let subtree = Label::subtree("/users/anna");
        assert!(
            matches!(covers("/users/{id}/*", "anna")[..], [Cover::Label(label)] if label == subtree)
        );
        assert!(matches!(covers("/u/{id}", "*")[..], [Cover::Path(_)]));
    }
}

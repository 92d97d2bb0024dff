//! The memory store against a naive model: a map, and a list of all drops ever made.

use fast_cache_core::key::Key;
use fast_cache_core::purge::{Cover, HostPattern, Label, PathPattern, Purge};
use fast_cache_core::reason::Reason;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use fast_cache_store::{Content, Limits, LocalStore, MemoryStore, Put};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const PATHS: [&str; 8] = ["/a", "/a/b", "/a/bb", "/a/b/c", "/b", "/b/", "/ab", "//a/b"];
const TAGS: [&str; 3] = ["red", "green", "blue"];

#[derive(Clone, Debug)]
enum Step {
    /// A handler starts; its birth is kept under this number.
    Begin(usize),
    /// The handler that started under this number, or now, answers for a path, with these tags.
    Put {
        begun: Option<usize>,
        path: usize,
        tags: u8,
    },
    Get(usize),
    Remove(usize),
    Register(Pattern),
    Drop {
        covers: Vec<Covers>,
        soft: bool,
    },
    Sweep(usize),
}

#[derive(Clone, Debug)]
enum Pattern {
    Prefix(&'static str),
    Glob(&'static str),
    Suffix(&'static str),
}

#[derive(Clone, Debug)]
enum Covers {
    Path(Pattern),
    Registered(Pattern),
    Tag(usize),
    Subtree(&'static str),
    Everything,
}

#[derive(Debug)]
struct Suffix(&'static str);

impl HostPattern for Suffix {
    fn matches(&self, path: &str) -> bool {
        path.ends_with(self.0)
    }

    fn identity(&self) -> &str {
        self.0
    }
}

impl Pattern {
    fn build(&self) -> PathPattern {
        match self {
            Self::Prefix(text) => PathPattern::prefix(text),
            Self::Glob(text) => PathPattern::glob(text),
            Self::Suffix(text) => PathPattern::host(Arc::new(Suffix(text))),
        }
    }

    fn covers(&self, path: &str) -> bool {
        match self {
            Self::Prefix(text) => path.starts_with(text),
            Self::Glob(text) => naive_glob(text, path),
            Self::Suffix(text) => path.ends_with(text),
        }
    }
}

/// A glob by its definition, recursion and all.
fn naive_glob(glob: &str, path: &str) -> bool {
    match glob.split_at_checked(1) {
        None => path.is_empty(),
        Some(("*", rest)) => (0..=path.len()).any(|at| naive_glob(rest, &path[at..])),
        Some((first, rest)) => path
            .strip_prefix(first)
            .is_some_and(|path| naive_glob(rest, path)),
    }
}

impl Covers {
    fn covers(&self, path: &str, tags: u8) -> bool {
        match self {
            Self::Path(pattern) | Self::Registered(pattern) => pattern.covers(path),
            Self::Tag(tag) => tags >> tag & 1 == 1,
            Self::Subtree(root) => {
                let segments = |path: &str| {
                    path.split('/')
                        .filter(|part| !part.is_empty())
                        .map(str::to_owned)
                        .collect()
                };
                let (root, path): (Vec<_>, Vec<_>) = (segments(root), segments(path));
                path.starts_with(&root)
            }
            Self::Everything => true,
        }
    }
}

#[derive(Clone, Copy)]
struct Held {
    birth: u64,
    /// How many drops there had been when its handler started.
    drops: usize,
    number: u64,
    tags: u8,
}

#[derive(Default)]
struct Model {
    held: HashMap<usize, Held>,
    drops: Vec<(Vec<Covers>, bool)>,
}

impl Model {
    /// Whether a hard and whether a soft drop covers an entry.
    fn covered(&self, path: usize, held: Held) -> [bool; 2] {
        [false, true].map(|kind| {
            self.drops[held.drops..].iter().any(|(covers, soft)| {
                *soft == kind
                    && covers
                        .iter()
                        .any(|cover| cover.covers(PATHS[path], held.tags))
            })
        })
    }

    fn get(&self, path: usize) -> Option<(u64, bool)> {
        let held = *self.held.get(&path)?;
        let [hard, soft] = self.covered(path, held);
        (!hard).then_some((held.number, soft))
    }

    fn put(&mut self, path: usize, new: Held) -> Result<(), Reason> {
        if self.covered(path, new)[0] {
            return Err(Reason::Dropped);
        }
        if self.get(path).is_none() || self.held[&path].birth <= new.birth {
            self.held.insert(path, new);
        }
        Ok(())
    }
}

fn key(path: usize) -> Key {
    // Digests that collide in every part but one, so that probing and comparing are exercised.
    Key::new(
        (path as u128) << 60,
        format!("key {}", PATHS[path]).into_bytes().into(),
    )
}

fn response(number: u64) -> Stored<u64> {
    Stored {
        received: Timestamp::default(),
        initial_age: 0,
        took: 0,
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        status: 200,
        traits: Traits::default(),
        etag: StoredTag::None,
        last_modified: None,
        body_length: 0,
        representation: number,
    }
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let texts = prop::sample::select(vec![
        "/a", "/a/", "/b", "b", "/", "/a*", "/*b", "*", "/a/*c", "/ab",
    ]);
    (0..3, texts).prop_map(|(kind, text)| match kind {
        0 => Pattern::Prefix(text),
        1 => Pattern::Glob(text),
        _ => Pattern::Suffix(text),
    })
}

fn covers() -> impl Strategy<Value = Covers> {
    prop_oneof![
        4 => patterns().prop_map(Covers::Path),
        4 => patterns().prop_map(Covers::Registered),
        3 => (0..TAGS.len()).prop_map(Covers::Tag),
        3 => prop::sample::select(vec!["/a", "/a/b", "/a/b/", "/b", "/"]).prop_map(Covers::Subtree),
        1 => Just(Covers::Everything),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        3 => (0..4_usize).prop_map(Step::Begin),
        8 => (prop::option::of(0..4_usize), path.clone(), 0..8_u8)
            .prop_map(|(begun, path, tags)| Step::Put { begun, path, tags }),
        6 => path.clone().prop_map(Step::Get),
        1 => path.prop_map(Step::Remove),
        1 => patterns().prop_map(Step::Register),
        5 => (prop::collection::vec(covers(), 0..3), any::<bool>()).prop_map(|(covers, soft)| Step::Drop { covers, soft }),
        1 => (0..20_usize).prop_map(Step::Sweep),
    ]
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = MemoryStore::new(Limits {
        max_entries: 100,
        max_bytes: 64 << 20,
    });
    let mut model = Model::default();
    let mut begun = [(store.birth(), 0); 4];
    for (number, step) in (0_u64..).zip(steps) {
        match step {
            Step::Begin(slot) => begun[slot] = (store.birth(), model.drops.len()),
            Step::Put {
                begun: slot,
                path,
                tags,
            } => {
                let (birth, drops) =
                    slot.map_or((store.birth(), model.drops.len()), |slot| begun[slot]);
                let mut labels: Vec<_> = (0..TAGS.len())
                    .filter(|tag| tags >> tag & 1 == 1)
                    .map(|tag| Label::tag(TAGS[tag]))
                    .collect();
                prop_assert_eq!(Label::subtrees(PATHS[path], &mut labels), Ok(()));
                let content = Content::Response(response(number));
                let put = Put {
                    key: key(path),
                    birth,
                    path: PATHS[path],
                    labels: &labels,
                    content,
                    weight: 0,
                };
                prop_assert_eq!(
                    store.put(put),
                    model.put(
                        path,
                        Held {
                            birth,
                            drops,
                            number,
                            tags
                        }
                    )
                );
            }
            Step::Get(path) => prop_assert_eq!(get(&store, path), model.get(path)),
            Step::Remove(path) => {
                store.remove(key(path).borrow());
                model.held.remove(&path);
            }
            Step::Register(pattern) => {
                store.register(pattern.build());
            }
            Step::Drop { covers, soft } => {
                let purge = Purge {
                    covers: covers.iter().map(|cover| build(&store, cover)).collect(),
                    soft,
                };
                if let Some(mut walk) = store.purge(&purge) {
                    while !store.resolve(&mut walk, 2) {}
                }
                model.drops.push((covers, soft));
            }
            Step::Sweep(steps) => {
                store.sweep(steps, Timestamp::default());
            }
        }
        prop_assert!(store.resident() <= PATHS.len());
    }
    for path in 0..PATHS.len() {
        prop_assert_eq!(get(&store, path), model.get(path));
    }
    prop_assert_eq!(
        store.len(),
        (0..PATHS.len())
            .filter(|path| model.get(*path).is_some())
            .count()
    );
    Ok(())
}

fn build(store: &MemoryStore<u64>, cover: &Covers) -> Cover {
    match cover {
        Covers::Path(pattern) => Cover::Path(pattern.build()),
        Covers::Registered(pattern) => Cover::Registered(store.register(pattern.build())),
        Covers::Tag(tag) => Cover::Label(Label::tag(TAGS[*tag])),
        Covers::Subtree(root) => Cover::Label(Label::subtree(root)),
        Covers::Everything => Cover::Everything,
    }
}

fn get(store: &MemoryStore<u64>, path: usize) -> Option<(u64, bool)> {
    let found = store.get(key(path).borrow())?;
    assert_eq!(found.entry.path(), PATHS[path]);
    found
        .entry
        .response()
        .map(|stored| (stored.representation, found.soft))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_store_does_what_the_model_does(steps in prop::collection::vec(steps(), 0..60)) {
        run(steps)?;
    }
}

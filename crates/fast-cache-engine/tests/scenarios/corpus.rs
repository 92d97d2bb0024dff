//! The scenario files, read. Their format is described beside them.

use serde::Deserialize;
use std::path::Path;

/// A scenario file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) scenario: Vec<Scenario>,
}

/// One story, from an empty cache on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) rule: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) hosts: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) options: Options,
    path: Option<String>,
    methods: Option<Vec<String>>,
    reads: Option<Vec<String>>,
    config: Option<Config>,
    #[serde(default)]
    routes: Vec<Route>,
}

/// One route of the application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) methods: Vec<String>,
    pub(crate) name: String,
    pub(crate) reads: Option<Vec<String>>,
    pub(crate) config: Option<Config>,
    pub(crate) drops: Vec<Drop>,
}

/// A cache configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) max_age: Option<MaxAge>,
    pub(crate) key: Option<String>,
    pub(crate) vary: Vec<String>,
    pub(crate) query: Option<Vec<String>>,
    pub(crate) ignore_query: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) stale_while_revalidate: f64,
    pub(crate) stale_if_error: f64,
    pub(crate) public: bool,
    pub(crate) strict_inputs: bool,
    pub(crate) etag: bool,
}

/// A lifetime in seconds, or `"http"` for HTTP mode.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum MaxAge {
    Seconds(f64),
    Word(String),
}

/// What a writing route, or code, drops.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Drop {
    pub(crate) paths: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) soft: bool,
    pub(crate) on: Option<Vec<u16>>,
}

/// Settings of the cache as a whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public contract"
)]
pub(crate) struct Options {
    pub(crate) client_directives: bool,
    pub(crate) head_from_get: bool,
    pub(crate) undeclared_headers: Vec<String>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) statuses: Option<Vec<u16>>,
    pub(crate) max_body_size: Option<u64>,
    pub(crate) default_ttl: Option<f64>,
    pub(crate) heuristics: bool,
    pub(crate) cdn_cache_control: bool,
    pub(crate) stale_on_error: bool,
    pub(crate) normalize_language: bool,
}

/// One move of the clock, then one request or one drop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(default)]
    pub(crate) after: f64,
    pub(crate) request: Option<String>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) sends: String,
    pub(crate) scheme: Option<String>,
    #[serde(default)]
    pub(crate) root_path: String,
    pub(crate) drop: Option<Drop>,
    #[serde(default)]
    pub(crate) clear: bool,
    pub(crate) origin: Option<Answered>,
    pub(crate) cache: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) forward: Option<String>,
    pub(crate) forward_status: Option<u16>,
    pub(crate) stored: Option<bool>,
    pub(crate) age: Option<u64>,
    pub(crate) ttl: Option<i64>,
    pub(crate) status: Option<u16>,
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) lines: Vec<String>,
    #[serde(default)]
    pub(crate) without: Vec<String>,
    #[serde(default)]
    pub(crate) sees: Vec<String>,
    #[serde(default)]
    pub(crate) sees_not: Vec<String>,
    pub(crate) route: Option<String>,
}

/// What the endpoint answers, or only its body.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answered {
    Body(String),
    Full(Origin),
}

/// What the endpoint answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Origin {
    pub(crate) body: Option<String>,
    pub(crate) chunks: Option<Vec<String>>,
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<String>,
    pub(crate) ends: Ends,
    pub(crate) takes: f64,
    pub(crate) meanwhile: Option<Drop>,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ends {
    #[default]
    Whole,
    Early,
    Raises,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            path: "/item".into(),
            methods: vec!["GET".into()],
            name: String::new(),
            reads: None,
            config: None,
            drops: Vec::new(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_age: None,
            key: None,
            vary: Vec::new(),
            query: None,
            ignore_query: Vec::new(),
            tags: Vec::new(),
            stale_while_revalidate: 0.0,
            stale_if_error: 0.0,
            public: false,
            strict_inputs: false,
            etag: true,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_directives: true,
            head_from_get: false,
            undeclared_headers: Vec::new(),
            methods: None,
            statuses: None,
            max_body_size: None,
            default_ttl: None,
            heuristics: false,
            cdn_cache_control: false,
            stale_on_error: false,
            normalize_language: false,
        }
    }
}

impl Scenario {
    /// The routes, in order. `raw` is what an endpoint reads where that makes no difference.
    pub(crate) fn all_routes(&self, raw: bool) -> Vec<Route> {
        let mut routes = self.routes.clone();
        if routes.is_empty() {
            let route = Route::default();
            routes.push(Route {
                path: self.path.clone().unwrap_or(route.path),
                methods: self.methods.clone().unwrap_or(route.methods),
                reads: self.reads.clone(),
                config: Some(self.config.clone().unwrap_or_default()),
                ..Route::default()
            });
        }
        for route in &mut routes {
            let either = if raw {
                vec!["request".into()]
            } else {
                Vec::new()
            };
            route.reads.get_or_insert(either);
        }
        routes
    }

    /// Whether the scenario leaves open for some route what its endpoint reads.
    pub(crate) fn is_open(&self) -> bool {
        if self.routes.is_empty() {
            return self.reads.is_none();
        }
        self.routes.iter().any(|route| route.reads.is_none())
    }

    /// Whether the core, without a framework, can play it.
    pub(crate) fn is_for_core(&self) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| hosts.iter().any(|host| host == "core"))
    }
}

impl Answered {
    /// The answer in full.
    pub(crate) fn full(&self) -> Origin {
        match self {
            Self::Body(body) => Origin {
                body: Some(body.clone()),
                ..Origin::default()
            },
            Self::Full(origin) => origin.clone(),
        }
    }
}

impl Origin {
    /// The body as it is sent.
    pub(crate) fn pieces(&self) -> Vec<Vec<u8>> {
        match (&self.body, &self.chunks) {
            (Some(body), None) => vec![bytes(body)],
            (None, Some(chunks)) => chunks.iter().map(|chunk| bytes(chunk)).collect(),
            _ => panic!("an origin has either a body or chunks: {self:?}"),
        }
    }
}

/// Every file, by subject.
#[expect(
    clippy::disallowed_methods,
    reason = "the scenarios are files, and only tests read them"
)]
pub(crate) fn load() -> Vec<(String, Vec<Scenario>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let mut subjects = Vec::new();
    for entry in folder.read_dir().expect("the folder of scenarios") {
        let path = entry.expect("an entry of the folder").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let subject = path.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{subject}: {error}"));
        subjects.push((subject.into_owned(), file.scenario));
    }
    subjects.sort_by(|first, second| first.0.cmp(&second.0));
    subjects
}

/// Text as the bytes of Latin-1, as on the wire.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| u8::try_from(u32::from(letter)).expect("only Latin-1"))
        .collect()
}

/// A header line written as `name: value`.
pub(crate) fn line(text: &str) -> (Vec<u8>, Vec<u8>) {
    let (name, value) = text.split_once(':').expect("a header line");
    (bytes(name), bytes(value.strip_prefix(' ').unwrap_or(value)))
}

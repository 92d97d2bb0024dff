//! Keys: an injective encoding of everything an answer may depend on.
//!
//! | file | what |
//! |---|---|
//! | [`inputs`] | which parts of a request join a route's key |
//! | [`build`] | the key of a request |
//! | [`variant`] | the key of one variant of its answer |
//! | [`search`] | the keys of responses that answer several queries |
//! | [`explain`] | the parts of a key in words |
//! | [`secret`] | digests, and hashes that stand for credentials |
//!
//! A key is the route's [`Identity`] and then the request's parts, each with its length before it, so that two requests
//! that differ in any part have different keys. An entry is found by 128 keyed bits and then compared in full.

pub mod build;
mod encode;
pub mod explain;
pub mod inputs;
pub mod search;
pub mod secret;
pub mod variant;

pub use build::{authored_key, build_key, custom_key, visible_cookies};
pub use secret::Secret;
pub use variant::{Selecting, variant_key};

/// Which route a key belongs to: the same in every process, on every machine and in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity([u8; 16]);

impl Identity {
    /// The identity of a route, from its namespace, method, host pattern (empty where there is none), full path
    /// template and the inputs that join its keys.
    pub fn of_route(
        namespace: &str,
        method: &str,
        host: &str,
        template: &str,
        inputs: &inputs::Inputs,
    ) -> Self {
        let mut parts = Vec::with_capacity(128);
        for part in [namespace, method, host, template] {
            encode::push_part(&mut parts, part.as_bytes());
        }
        inputs.describe(&mut parts);
        Self::hash(&parts)
    }

    /// The identity of an endpoint of a route, for drops by endpoint: without the inputs.
    pub fn of_endpoint(namespace: &str, host: &str, template: &str) -> Self {
        let mut parts = Vec::with_capacity(128);
        for part in [namespace, host, template] {
            encode::push_part(&mut parts, part.as_bytes());
        }
        Self::hash(&parts)
    }

    /// The identity's bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn hash(parts: &[u8]) -> Self {
        let mut out = [0; 16];
        out.copy_from_slice(&blake3::hash(parts).as_bytes()[..16]);
        Self(out)
    }
}

/// A key that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    digest: u128,
    bytes: Box<[u8]>,
}

/// A borrowed key. The digest finds an entry; the bytes, compared in full, decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef<'a> {
    /// 128 keyed bits over `bytes`.
    pub digest: u128,
    /// The whole key.
    pub bytes: &'a [u8],
}

impl Key {
    /// A key from its parts; `digest` must be the store's digest over `bytes`.
    pub fn new(digest: u128, bytes: Box<[u8]>) -> Self {
        Self { digest, bytes }
    }

    /// The borrowed form.
    pub fn borrow(&self) -> KeyRef<'_> {
        KeyRef {
            digest: self.digest,
            bytes: &self.bytes,
        }
    }

    /// The whole key, given away.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.bytes
    }
}

impl KeyRef<'_> {
    /// An owned copy.
    pub fn to_owned(self) -> Key {
        Key {
            digest: self.digest,
            bytes: self.bytes.into(),
        }
    }
}

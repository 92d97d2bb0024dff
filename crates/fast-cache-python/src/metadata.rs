//! What a custom storage keeps beside status, headers and body: plain values that survive JSON.

use crate::recorder::Finished;
use fast_cache_core::key::Key;
use fast_cache_core::purge::Label;
use fast_cache_core::stored::{Stored, StoredTag, Traits};
use fast_cache_core::time::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyDictMethods};
use std::sync::OnceLock;
use std::time::Duration;

const VERSION: u32 = 1;

/// This process's logical clock is its own: births from another process are older than any drop here.
pub(crate) fn epoch() -> u64 {
    static EPOCH: OnceLock<u64> = OnceLock::new();
    *EPOCH.get_or_init(|| {
        let mut bytes = [0; 8];
        // Without randomness every birth counts as foreign, which only costs misses.
        let _ = getrandom::fill(&mut bytes);
        u64::from_le_bytes(bytes) >> 12
    })
}

/// The text under which a custom storage keeps a key.
pub(crate) fn storage_key(key: &Key) -> String {
    format!("{:032x}", key.borrow().digest)
}

/// Metadata on its way out.
pub(crate) struct Written {
    key: String,
    birth: u64,
    received: i64,
    initial_age: u32,
    took: u32,
    lifetime: u64,
    stale_while_revalidate: u64,
    stale_if_error: u64,
    shared_with_credentials: bool,
    must_revalidate: bool,
    always_validate: bool,
    generated: Option<String>,
    given: Option<String>,
    last_modified: Option<i64>,
    body_length: u64,
    status: u16,
    labels: Vec<String>,
}

/// Metadata that came back.
pub(crate) struct Read {
    pub(crate) key: Vec<u8>,
    pub(crate) epoch: u64,
    pub(crate) birth: u64,
    pub(crate) path: String,
    pub(crate) labels: Vec<Label>,
    pub(crate) body_length: u64,
    pub(crate) status: u16,
    stored: Stored<()>,
}

pub(crate) fn write(finished: &Finished) -> Written {
    let stored = &finished.stored;
    let micros = |duration: Duration| {
        u64::try_from(duration.as_micros())
            .unwrap_or(u64::MAX)
            .min(1 << 52)
    };
    let (generated, given) = match &stored.etag {
        StoredTag::None => (None, None),
        StoredTag::Generated(hash) => (Some(format!("{hash:016x}")), None),
        StoredTag::Given(tag) => (None, Some(hex(tag))),
    };
    Written {
        key: hex(finished.storage_key.borrow().bytes),
        birth: finished.birth,
        received: stored.received.micros(),
        initial_age: stored.initial_age,
        took: stored.took,
        lifetime: micros(stored.lifetime),
        stale_while_revalidate: micros(stored.stale_while_revalidate),
        stale_if_error: micros(stored.stale_if_error),
        shared_with_credentials: stored.traits.shared_with_credentials,
        must_revalidate: stored.traits.must_revalidate,
        always_validate: stored.traits.always_validate,
        generated,
        given,
        last_modified: stored.last_modified.map(Timestamp::micros),
        body_length: stored.body_length,
        status: stored.status,
        labels: finished
            .labels
            .iter()
            .map(|label| format!("{:016x}", label.bits()))
            .collect(),
    }
}

impl Written {
    /// As a dictionary of plain values; `path` is what drop patterns see.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("version", VERSION)?;
        dict.set_item("key", &self.key)?;
        dict.set_item("path", path)?;
        dict.set_item("epoch", epoch())?;
        dict.set_item("birth", self.birth)?;
        dict.set_item("received", self.received)?;
        dict.set_item("initial_age", self.initial_age)?;
        dict.set_item("took", self.took)?;
        dict.set_item("lifetime", self.lifetime)?;
        dict.set_item("stale_while_revalidate", self.stale_while_revalidate)?;
        dict.set_item("stale_if_error", self.stale_if_error)?;
        dict.set_item("shared_with_credentials", self.shared_with_credentials)?;
        dict.set_item("must_revalidate", self.must_revalidate)?;
        dict.set_item("always_validate", self.always_validate)?;
        dict.set_item("generated_etag", &self.generated)?;
        dict.set_item("given_etag", &self.given)?;
        dict.set_item("last_modified", self.last_modified)?;
        dict.set_item("body_length", self.body_length)?;
        dict.set_item("status", self.status)?;
        dict.set_item("labels", &self.labels)?;
        Ok(dict)
    }
}

/// Reads metadata; `None` where it is of another version or damaged.
pub(crate) fn read(dict: &Bound<'_, PyDict>) -> Option<Read> {
    if item::<u32>(dict, "version")? != VERSION {
        return None;
    }
    let micros = |name| Some(Duration::from_micros(item::<u64>(dict, name)?));
    let etag = match (
        item::<Option<String>>(dict, "generated_etag")?,
        item::<Option<String>>(dict, "given_etag")?,
    ) {
        (Some(hash), _) => StoredTag::Generated(u64::from_str_radix(&hash, 16).ok()?),
        (None, Some(tag)) => StoredTag::Given(unhex(&tag)?.into()),
        (None, None) => StoredTag::None,
    };
    let labels = item::<Vec<String>>(dict, "labels")?;
    let labels = labels
        .iter()
        .map(|bits| u64::from_str_radix(bits, 16).ok().map(Label::from_bits));
    let (status, body_length) = (item(dict, "status")?, item(dict, "body_length")?);
    Some(Read {
        key: unhex(&item::<String>(dict, "key")?)?,
        epoch: item(dict, "epoch")?,
        birth: item(dict, "birth")?,
        path: item(dict, "path")?,
        labels: labels.collect::<Option<_>>()?,
        body_length,
        status,
        stored: Stored {
            received: Timestamp::from_micros(item(dict, "received")?),
            initial_age: item(dict, "initial_age")?,
            took: item(dict, "took").unwrap_or_default(),
            lifetime: micros("lifetime")?,
            stale_while_revalidate: micros("stale_while_revalidate")?,
            stale_if_error: micros("stale_if_error")?,
            status,
            traits: Traits {
                shared_with_credentials: item(dict, "shared_with_credentials")?,
                must_revalidate: item(dict, "must_revalidate")?,
                always_validate: item(dict, "always_validate")?,
            },
            etag,
            last_modified: item::<Option<i64>>(dict, "last_modified")?.map(Timestamp::from_micros),
            body_length,
            representation: (),
        },
    })
}

impl Read {
    /// The stored response, with the host's representation of it.
    pub(crate) fn stored<R>(self, representation: R) -> Stored<R> {
        let stored = self.stored;
        Stored {
            received: stored.received,
            initial_age: stored.initial_age,
            took: stored.took,
            lifetime: stored.lifetime,
            stale_while_revalidate: stored.stale_while_revalidate,
            stale_if_error: stored.stale_if_error,
            status: stored.status,
            traits: stored.traits,
            etag: stored.etag,
            last_modified: stored.last_modified,
            body_length: stored.body_length,
            representation,
        }
    }
}

fn item<'py, T>(dict: &Bound<'py, PyDict>, name: &str) -> Option<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    dict.get_item(name).ok()??.extract().ok()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok())
        .collect()
}

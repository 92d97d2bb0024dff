//! Keys: an injective encoding of everything an answer may depend on.

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
        KeyRef { digest: self.digest, bytes: &self.bytes }
    }

    /// The whole key, given away.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.bytes
    }
}

impl KeyRef<'_> {
    /// An owned copy.
    pub fn to_owned(self) -> Key {
        Key { digest: self.digest, bytes: self.bytes.into() }
    }
}

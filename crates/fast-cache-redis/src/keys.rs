//! The names of keys in Redis.
//!
//! | key | holds |
//! |---|---|
//! | `cache:{cache}:head` | the incarnation, the clock, and the server they were made on |
//! | `cache:{cache}:log` | the newest drops, a stream |
//! | `cache:{0123…}:e` | the entry with this digest |
//! | `cache:{0123…}:l` | the lease to make it |
//!
//! Braces say what decides the place in a cluster: head and log stand together, an entry and its lease do, and
//! entries spread.

/// The key names of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    /// Incarnation and clock.
    pub(crate) head: String,
    /// The drops.
    pub(crate) log: String,
    /// What the names of both begin with, and no others.
    pub(crate) control: String,
}

impl Keys {
    pub(crate) fn new(namespace: &str) -> Self {
        let mut prefix = String::new();
        for character in namespace.chars() {
            match character {
                // Braces would decide the place of every entry.
                '{' => prefix.push_str("%7B"),
                '}' => prefix.push_str("%7D"),
                '%' => prefix.push_str("%25"),
                other => prefix.push(other),
            }
        }
        if prefix.is_empty() {
            prefix.push_str("%00");
        }
        let control = format!("{prefix}:{{{prefix}}}:");
        Self {
            head: format!("{control}head"),
            log: format!("{control}log"),
            control,
            prefix,
        }
    }

    /// The key of an entry.
    pub(crate) fn entry(&self, digest: u128) -> String {
        format!("{}:{{{digest:032x}}}:e", self.prefix)
    }

    /// The key of the lease to make an entry.
    pub(crate) fn lease(&self, digest: u128) -> String {
        format!("{}:{{{digest:032x}}}:l", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn names_of_two_namespaces_never_meet() {
        let names = ["", "a", "a:{a}", "a%7Ba%7D", "{a}", "a:b", "%00"].map(Keys::new);
        for (index, keys) in names.iter().enumerate() {
            for other in &names[index + 1..] {
                assert_ne!(keys.head, other.head);
                assert!(!other.log.starts_with(&keys.control));
                assert_ne!(keys.entry(7), other.entry(7));
            }
        }
    }

    #[test]
    fn an_entry_and_its_lease_stand_together_and_entries_spread() {
        let keys = Keys::new("x{y}");
        let tag = |name: &str| {
            let from = name.find('{').expect("a brace");
            name[from..name.find('}').expect("a brace")].to_owned()
        };
        assert_eq!(tag(&keys.entry(7)), tag(&keys.lease(7)));
        assert_ne!(tag(&keys.entry(7)), tag(&keys.entry(8)));
        assert_eq!(tag(&keys.head), tag(&keys.log));
    }
}

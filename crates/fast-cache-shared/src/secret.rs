//! The secret of a folder: what keys and credentials are hashed with, the same for all its processes.

use crate::SECRET;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Reads the secret, or makes it. Of several processes that make one at once, one wins, and all get its.
pub(crate) fn read_or_make(folder: &Path) -> io::Result<[u8; SECRET]> {
    let path = folder.join("secret");
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, &path),
        read => read,
    }
}

/// A secret of this process alone.
pub(crate) fn random() -> io::Result<[u8; SECRET]> {
    let mut secret = [0; SECRET];
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(secret)
}

fn make(folder: &Path, path: &Path) -> io::Result<[u8; SECRET]> {
    let mut tail = [0; 8];
    getrandom::fill(&mut tail).map_err(|error| io::Error::other(error.to_string()))?;
    let new = folder.join(format!("secret.{:016x}", u64::from_le_bytes(tail)));
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let written = file
        .write_all(&random()?)
        .and_then(|()| file.sync_all())
        // A link fails where there is one already, so nobody's secret is ever replaced.
        .and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(path),
    }
}

fn read(path: &Path) -> io::Result<[u8; SECRET]> {
    let mut file = File::open(path)?;
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    if file.metadata()?.mode() & 0o077 != 0 {
        return Err(invalid("the secret may be read by others"));
    }
    let mut secret = Vec::new();
    Read::by_ref(&mut file)
        .take(SECRET as u64 + 1)
        .read_to_end(&mut secret)?;
    secret
        .try_into()
        .map_err(|_| invalid("the secret does not have 48 bytes"))
}

#[cfg(test)]
mod tests {
    use super::read_or_make;

    #[test]
    fn all_who_start_at_once_get_one_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let start = || scope.spawn(|| read_or_make(folder.path()).expect("a secret"));
            let threads: Vec<_> = (0..8).map(|_| start()).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_ne!(secrets[0], [0; 48]);
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 1, "nothing but the secret is left");
    }
}

//! The map: LMDB's environment with its databases, and the words beside it.
//!
//! | database | key | value |
//! |---|---|---|
//! | (main) | `meta` | [`Meta`] |
//! | `entries` | digest | head and frame, see `entries` |
//! | `queue` | queue and number, see `eviction` | digest and stamp |
//! | `log` | generation | kind and cover, see `drops` |
//! | `covers` | hash of kind and cover | generation |
//! | `changes` | number | digest |

use crate::directory::{self, Lock, Locked};
use crate::lmdb::{Db, Env, Reading, Result, Txn, Writing};
use crate::words::{Unusable, Words};
use fast_cache_store::Limits;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DATA: &str = "data.mdb";
const LOCK: &str = "lock.mdb";
const WORDS: &str = "words";

/// How long one process waits for another that opens the folder.
const OPENING: Duration = Duration::from_secs(2);

/// What is not entries: pages that are being replaced, the log, the list of free pages.
const SLACK: usize = 32 << 20;

const NAMES: [&CStr; 5] = [c"entries", c"queue", c"log", c"covers", c"changes"];
const META: &[u8] = b"meta";

/// The map as one process has it open.
pub(crate) struct Map {
    pub(crate) db: Databases,
    pub(crate) words: Arc<Words>,
    pub(crate) limits: Limits,
    env: Env,
    /// Tells others that the folder is in use; unlocked by its end.
    _users: Locked,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Databases {
    main: Db,
    pub(crate) entries: Db,
    pub(crate) queue: Db,
    pub(crate) log: Db,
    pub(crate) covers: Db,
    pub(crate) changes: Db,
}

impl Map {
    /// Opens the map in a folder, or makes it; what is wrong, in words.
    pub(crate) fn open(folder: &Path, limits: Limits) -> std::result::Result<Self, String> {
        directory::check(folder).map_err(|error| error.to_string())?;
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        let opening = Locked::open(&folder.join("opening")).map_err(failed)?;
        let users = Locked::open(&folder.join("users")).map_err(failed)?;
        wait_for(&opening, folder)?;
        // While `opening` is locked nobody else begins to use the folder.
        let alone = users.try_lock(Lock::Alone).map_err(failed)?;
        let words = open_words(folder, limits, alone)?;
        if alone {
            words.set_limits(limits);
        }
        let limits = words.limits();
        let opened = open_environment(folder, limits);
        let (words, (env, db)) = match opened {
            Ok(opened) => (words, opened),
            Err(Trouble::Damaged(_)) if alone => {
                drop(words);
                let words = start_afresh(folder, limits).map_err(failed)?;
                let opened = open_environment(folder, limits);
                (words, opened.map_err(|trouble| trouble.in_words(folder))?)
            }
            Err(trouble) => return Err(trouble.in_words(folder)),
        };
        if !users.try_lock(Lock::Shared).map_err(failed)? {
            return Err(format!("{} is being replaced", folder.display()));
        }
        // Who died while reading keeps pages from being used again.
        let _ = env.clear_stale_readers();
        Ok(Self {
            db,
            words: Arc::new(words),
            limits,
            env,
            _users: users,
        })
    }

    pub(crate) fn read(&self) -> Result<Reading<'_>> {
        self.env.read()
    }

    pub(crate) fn write(&self) -> Result<Writing<'_>> {
        self.env.write()
    }

    pub(crate) fn clear_stale_readers(&self) -> Result<()> {
        self.env.clear_stale_readers()
    }

    pub(crate) fn page_size(&self) -> usize {
        self.env.page_size()
    }

    pub(crate) fn meta(&self, txn: &Txn<'_>) -> Result<Meta> {
        Ok(txn
            .get(self.db.main, META)?
            .map_or_else(Meta::default, Meta::from_bytes))
    }

    pub(crate) fn set_meta(&self, txn: &mut Writing<'_>, meta: &Meta) -> Result<()> {
        txn.put(self.db.main, META, &meta.to_bytes())
    }
}

enum Trouble {
    Damaged(String),
    Failed(String),
}

impl Trouble {
    fn in_words(self, folder: &Path) -> String {
        let (Self::Damaged(words) | Self::Failed(words)) = self;
        format!("{}: {words}", folder.display())
    }
}

impl From<crate::lmdb::Error> for Trouble {
    fn from(error: crate::lmdb::Error) -> Self {
        if error.is_damage() {
            Self::Damaged(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process opens the folder, and nothing tells when it is done"
)]
fn wait_for(opening: &Locked, folder: &Path) -> std::result::Result<(), String> {
    let began = Instant::now();
    loop {
        match opening.try_lock(Lock::Alone) {
            Ok(true) => return Ok(()),
            Ok(false) if began.elapsed() < OPENING => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(false) => {
                return Err(format!(
                    "another process has been opening {} for long",
                    folder.display()
                ));
            }
            Err(error) => return Err(format!("{}: {error}", folder.display())),
        }
    }
}

fn open_words(folder: &Path, limits: Limits, alone: bool) -> std::result::Result<Words, String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    match Words::open(&folder.join(WORDS)) {
        Ok(words) => Ok(words),
        Err(Unusable::Absent) if folder.join(DATA).exists() => Err(format!(
            "{} holds an LMDB database that is not this store's",
            folder.display()
        )),
        Err(Unusable::Absent | Unusable::Outdated) if alone => {
            start_afresh(folder, limits).map_err(failed)
        }
        Err(Unusable::Absent | Unusable::Outdated) => Err(format!(
            "{} is damaged or outdated, and still used by other processes",
            folder.display()
        )),
        Err(Unusable::Foreign(words)) => Err(words),
        Err(Unusable::Failed(error)) => Err(failed(error)),
    }
}

fn start_afresh(folder: &Path, limits: Limits) -> io::Result<Words> {
    for name in [DATA, LOCK, WORDS] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Words::create(&folder.join(WORDS), limits)
}

fn open_environment(
    folder: &Path,
    limits: Limits,
) -> std::result::Result<(Env, Databases), Trouble> {
    let failed = |error: io::Error| Trouble::Failed(error.to_string());
    fill_lock_file(&folder.join(LOCK)).map_err(failed)?;
    let size = limits.max_bytes.saturating_add(limits.max_bytes / 4) + SLACK;
    let names = u32::try_from(NAMES.len()).unwrap_or_default();
    let env = Env::open(folder, size & !0xffff, names)?;
    // Pages that the file does not have would be a signal, not an error.
    let data = fs::File::options()
        .write(true)
        .open(folder.join(DATA))
        .map_err(failed)?;
    let length = data.metadata().map_err(failed)?.len();
    let used = env.size()?;
    if length < used {
        data.set_len(used).map_err(failed)?;
        // A few pages at the end may never have been written.
        if used - length > 1 << 20 {
            return Err(Trouble::Damaged(format!("{DATA} is truncated")));
        }
    }
    let main = env.database(None)?;
    let [entries, queue, log, covers, changes] = NAMES.map(|name| env.database(Some(name)));
    let db = Databases {
        main,
        entries: entries?,
        queue: queue?,
        log: log?,
        covers: covers?,
        changes: changes?,
    };
    Ok((env, db))
}

/// LMDB maps its lock file; without blocks on the disk for it, a full disk would be a signal.
fn fill_lock_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match file {
        Ok(mut file) => {
            let size = usize::try_from(Env::lock_file_size()).unwrap_or_default();
            io::Write::write_all(&mut file, &vec![0; size])
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is counted within the transactions that change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The newest drop's generation.
    pub(crate) clock: u64,
    /// The newest drops of everything, and those that fell out of the log: hard, then soft.
    pub(crate) floors: [u64; 2],
    /// The number of the newest change.
    pub(crate) changes: u64,
    pub(crate) entries: u64,
    /// What the entries cost, in bytes of the file.
    pub(crate) bytes: u64,
    /// What those on trial cost.
    pub(crate) trial_bytes: u64,
    /// The number of the newest record of a queue.
    pub(crate) stamp: u64,
    /// Records of queues whose entries are gone.
    pub(crate) orphans: u64,
    pub(crate) logged: u64,
    pub(crate) logged_bytes: u64,
}

const WORDS_OF_META: usize = 11;

impl Default for Meta {
    fn default() -> Self {
        let mut words = [0; WORDS_OF_META];
        words[0] = 1;
        Self::from_words(words)
    }
}

impl Meta {
    fn from_words(words: [u64; WORDS_OF_META]) -> Self {
        let [
            clock,
            hard,
            soft,
            changes,
            entries,
            bytes,
            trial_bytes,
            stamp,
            orphans,
            logged,
            logged_bytes,
        ] = words;
        Self {
            clock,
            floors: [hard, soft],
            changes,
            entries,
            bytes,
            trial_bytes,
            stamp,
            orphans,
            logged,
            logged_bytes,
        }
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = [0; WORDS_OF_META];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self::from_words(words)
    }

    fn to_bytes(self) -> Vec<u8> {
        [
            self.clock,
            self.floors[0],
            self.floors[1],
            self.changes,
            self.entries,
            self.bytes,
            self.trial_bytes,
            self.stamp,
            self.orphans,
            self.logged,
            self.logged_bytes,
        ]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
    }

    /// The generation after every one that was given, here and in the words.
    pub(crate) fn next_generation(&mut self, words: &Words) -> u64 {
        self.clock = self.clock.max(words.clock()) + 1;
        self.clock
    }
}

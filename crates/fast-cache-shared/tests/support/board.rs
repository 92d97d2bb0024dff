//! Words that the processes of a test share, and the processes themselves.
#![allow(dead_code, reason = "each test uses a part")]

use memmap2::MmapRaw;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FOLDER: &str = "FAST_CACHE_TEST_FOLDER";
const NUMBER: &str = "FAST_CACHE_TEST_WORKER";

/// Mapped words: in the order in which one process writes them, others see them.
pub(crate) struct Board(MmapRaw);

impl Board {
    pub(crate) const WORDS: usize = 4096;

    pub(crate) fn open(folder: &Path) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("board"))
            .expect("a file");
        file.set_len(8 * Self::WORDS as u64).expect("room");
        Self(MmapRaw::map_raw(&file).expect("a mapping"))
    }

    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < Self::WORDS);
        // SAFETY: the place is within the mapping and aligned, and only ever used as an atomic.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().add(8 * at).cast()) }
    }

    pub(crate) fn read(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::SeqCst)
    }

    pub(crate) fn write(&self, at: usize, value: u64) {
        self.word(at).store(value, Ordering::SeqCst);
    }

    pub(crate) fn add(&self, at: usize, value: u64) -> u64 {
        self.word(at).fetch_add(value, Ordering::SeqCst) + value
    }

    pub(crate) fn raise(&self, at: usize, value: u64) {
        self.word(at).fetch_max(value, Ordering::SeqCst);
    }
}

/// A process that ends with the test that started it, however that comes out.
pub(crate) struct Process(Child);

impl std::ops::Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl std::ops::DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this test program once more, to run one test that takes part as a worker.
pub(crate) fn start(test: &str, folder: &Path, number: usize) -> Process {
    let started = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--ignored", "--nocapture", "--quiet"])
        .env(FOLDER, folder)
        .env(NUMBER, number.to_string())
        .stdout(std::process::Stdio::null())
        .spawn();
    Process(started.expect("a process"))
}

/// In a worker: where it works, and which one it is.
pub(crate) fn part() -> Option<(PathBuf, usize)> {
    Some((setting(FOLDER)?.into(), setting(NUMBER)?.parse().ok()?))
}

/// What the environment says under a name.
#[expect(
    clippy::disallowed_methods,
    reason = "how tests are told how long to run"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The number that the environment gives under a name, or another.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    setting(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Looks again and again until something is so; for how long it was not.
pub(crate) fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what} did not come in {limit:?}");
        std::thread::park_timeout(Duration::from_micros(200));
    }
    began.elapsed()
}

/// Numbers that look random, the same for one seed.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

//! What the system says of itself and of its processes.

use std::io;
use std::time::Duration;

/// A tick of [`ticks`]: the unit of everything that ends by itself.
pub(crate) const TICK: Duration = Duration::from_millis(16);

/// Ticks since the machine was started, the same for all its processes; it never goes back.
pub(crate) fn ticks() -> u64 {
    let since = since_boot();
    u64::try_from(since.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}

/// What this thread has worked: time on a processor, without that in which others had it.
pub(crate) fn worked() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = libc::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = libc::CLOCK_MONOTONIC;
    read(clock)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the system writes the time to `time`; for a clock it does not know, zero stays.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos.min(999_999_999))
}

/// Who this process is.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}

/// Whose files and rights this process has.
pub(crate) fn user_id() -> u32 {
    // SAFETY: it only returns a number.
    unsafe { libc::geteuid() }
}

/// Whether a process can still do anything. `since` is a moment, in ticks, at which it could: one that started later
/// has the number of a dead one.
pub(crate) fn is_alive(process: u32, since: u64) -> bool {
    let Ok(number) = i32::try_from(process) else {
        return false;
    };
    // SAFETY: signal 0 is sent to nobody.
    let exists = unsafe { libc::kill(number, 0) } == 0
        || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH);
    exists && !ended_or_younger(process, since)
}

/// Whether a process has ended and only its parent does not know yet, or was started after `since`.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "the system says it in a file")]
fn ended_or_younger(process: u32, since: u64) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{process}/stat")) else {
        return false;
    };
    let stat = String::from_utf8_lossy(&stat);
    // The name, which may hold anything, ends with the last parenthesis.
    let mut fields = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_ascii_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return true;
    }
    // SAFETY: it only returns a number.
    let hertz = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100);
    let Some(started) = fields.nth(18).and_then(|ticks| ticks.parse::<u64>().ok()) else {
        return false;
    };
    let started = Duration::from_millis(started.saturating_mul(1000) / hertz.max(1));
    // One tick more, for rounding.
    u64::try_from(started.as_millis() / TICK.as_millis()).unwrap_or_default() > since + 1
}

#[cfg(not(target_os = "linux"))]
fn ended_or_younger(_: u32, _: u64) -> bool {
    false
}

/// What the machine's present run is called; zeros where it has no name.
pub(crate) fn boot_id() -> [u8; 16] {
    let mut id = [0_u8; 16];
    for (at, byte) in boot_name()
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .enumerate()
    {
        // 32 digits, two to a byte.
        id[(at / 2) % 16] = id[(at / 2) % 16].rotate_left(4) ^ byte;
    }
    id
}

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "the system says it in a file")]
fn boot_name() -> String {
    let name = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(target_os = "macos")]
fn boot_name() -> String {
    let mut name = [0_u8; 64];
    let mut length = name.len();
    // SAFETY: the system writes at most `length` bytes to `name`, and says in `length` how many.
    let code = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            name.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    let length = if code == 0 { length.min(64) } else { 0 };
    String::from_utf8_lossy(&name[..length]).into_owned()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn boot_name() -> String {
    String::new()
}

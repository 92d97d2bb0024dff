//! Where a folder lies: mapped files are one for all processes of a machine, and not for those of another.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The name of the network file system a file lies on, if it does.
#[cfg(target_os = "linux")]
pub(crate) fn remote(file: &File) -> io::Result<Option<&'static str>> {
    // SAFETY: a record of integers, for which zero is a value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the system writes to `stat`.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The type of the field differs between architectures; the number has 32 bits.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "see above"
    )]
    let magic = stat.f_type as u32;
    Ok(name_of(magic))
}

/// The name of a network file system by the number that Linux has for it.
#[cfg(target_os = "linux")]
fn name_of(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 => "SMB",
        0xff53_4d42 => "CIFS",
        0x0102_1997 => "9p",
        // Among them sshfs and object stores; which it is, the number does not say.
        0x6573_5546 => "FUSE",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x0bd0_0bd0 => "Lustre",
        0x564c => "NCP",
        0x7375_7245 => "Coda",
        0x4750_4653 => "GPFS",
        0x786f_4256 => "a folder of a virtual machine's host",
        _ => return None,
    })
}

/// The name of the network file system a file lies on, if it does.
#[cfg(target_os = "macos")]
pub(crate) fn remote(file: &File) -> io::Result<Option<&'static str>> {
    // SAFETY: a record of integers and texts, for which zero is a value.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the system writes to `stat`.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let local = u32::try_from(libc::MNT_LOCAL).unwrap_or_default();
    Ok((stat.f_flags & local == 0).then_some("not a local one"))
}

/// Elsewhere it cannot be told.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn remote(_: &File) -> io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::name_of;

    #[test]
    fn network_file_systems_have_names() {
        assert_eq!(name_of(0x6969), Some("NFS"));
        assert_eq!(name_of(0x6573_5546), Some("FUSE"));
        // ext4, tmpfs, btrfs, xfs, overlayfs
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630] {
            assert_eq!(name_of(local), None);
        }
    }
}

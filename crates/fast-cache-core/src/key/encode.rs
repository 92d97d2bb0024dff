//! The length-prefixed encoding: two different sequences of parts never give the same bytes.

/// Appends a number in 7-bit groups, least significant first (LEB128).
#[inline]
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a part with its length before it.
#[inline]
pub(super) fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    push_number(out, part.len() as u64);
    out.extend_from_slice(part);
}

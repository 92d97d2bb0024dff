//! The hashes of all subtrees that a path lies in, in one pass: `SipHash` 1-3 of each prefix that ends before a slash.

const SLASHES: u64 = u64::from_ne_bytes([b'/'; 8]);
const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);

/// Hands over the hash of every prefix of `path` that ends before a slash, of the empty one first, and of `path` itself, for
/// as long as they are wanted; `None` where one was not, and where a slash stands at the end, next to another or not at
/// the beginning.
pub(super) fn prefixes(
    path: &[u8],
    keys: (u64, u64),
    mut hand_over: impl FnMut(u64) -> bool,
) -> Option<()> {
    if path.first() != Some(&b'/') || path.last() == Some(&b'/') {
        return None;
    }
    let mut state = State::new(keys);
    let mut before = 0;
    hand_over(state.finish(0, 0));
    let (words, tail) = path.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        before = ends(&state, word, 8 * index, before, &mut hand_over)?;
        state.take(word);
    }
    let mut rest = [0; 8];
    rest[..tail.len()].copy_from_slice(tail);
    let rest = u64::from_le_bytes(rest);
    ends(&state, rest, 8 * words.len(), before, &mut hand_over)?;
    hand_over(state.finish(rest, path.len())).then_some(())
}

/// The prefixes that end in one word, which begins at `start`; where the last slash stands that was seen.
fn ends(
    state: &State,
    word: u64,
    start: usize,
    mut before: usize,
    hand_over: &mut impl FnMut(u64) -> bool,
) -> Option<usize> {
    let other = word ^ SLASHES;
    // The highest bit of each byte that is a slash.
    let mut slashes = !(((other & LOW_BITS) + LOW_BITS) | other | LOW_BITS);
    while slashes != 0 {
        let bits = slashes.trailing_zeros() & !7;
        slashes &= slashes - 1;
        let at = start + bits as usize / 8;
        if at == 0 {
            continue;
        }
        let is_empty = at == before + 1;
        if is_empty || !hand_over(state.finish(word & ((1 << bits) - 1), at)) {
            return None;
        }
        before = at;
    }
    Some(before)
}

/// What the hash has taken so far.
#[derive(Clone, Copy)]
struct State([u64; 4]);

impl State {
    fn new((first, second): (u64, u64)) -> Self {
        Self([
            first ^ 0x736f_6d65_7073_6575,
            second ^ 0x646f_7261_6e64_6f6d,
            first ^ 0x6c79_6765_6e65_7261,
            second ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline]
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    /// The hash of `length` bytes, the last of which, less than a word, are `tail`.
    #[inline]
    fn finish(mut self, tail: u64, length: usize) -> u64 {
        self.take(tail | (length as u64) << 56);
        self.0[2] ^= 0xff;
        for _ in 0..3 {
            self.round();
        }
        self.0.into_iter().fold(0, |hash, word| hash ^ word)
    }

    #[inline]
    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }
}

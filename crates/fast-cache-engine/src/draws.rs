//! Random numbers for what is left to chance.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence of random numbers, shared by all threads: enough for chance, and no secret.
#[derive(Debug)]
pub struct Draws(AtomicU64);

impl Draws {
    /// The sequence that begins with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next one: `SplitMix64`, of which each value is as likely as any other.
    pub fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;

    #[test]
    fn the_numbers_are_those_of_the_algorithm() {
        let draws = Draws::new(0);
        assert_eq!(draws.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(draws.draw(), 0x6e78_9e6a_a1b9_65f4);
    }
}

//! How often something was found.

/// What lookups came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Found in the memory of the process that asked.
    pub near: u64,
    /// Found in the map.
    pub far: u64,
    /// Not found.
    pub missed: u64,
}

impl Lookups {
    /// The share of lookups that found something; zero where there was none.
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn hit_ratio(&self) -> f64 {
        let found = self.near + self.far;
        let all = found + self.missed;
        if all == 0 {
            return 0.0;
        }
        found as f64 / all as f64
    }
}

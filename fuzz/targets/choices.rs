//! Bytes read as choices: whatever the bytes are, they make a case.

use bolero::{Driver, ValueGenerator};

/// Bytes as they stand in a file, or random ones, up to this many.
pub(crate) struct Bytes(pub(crate) usize);

impl ValueGenerator for Bytes {
    type Output = Vec<u8>;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        driver.gen_from_bytes(
            || (0, Some(self.0)),
            |bytes| {
                let length = bytes.len().min(self.0);
                Some((length, bytes[..length].to_vec()))
            },
        )
    }
}

/// A header line that owns its bytes.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// The choices that are left. Once there are none, every choice is the first one.
#[derive(Debug)]
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `end`, which is at most 256.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// True about once in `times`, and never when nothing is left.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        let bytes: [u8; 8] = std::array::from_fn(|_| self.byte());
        u64::from_le_bytes(bytes)
    }

    /// Everything that is left: as it stands, or word by word and byte by byte.
    pub(crate) fn rest(&mut self, words: &[&str]) -> Vec<u8> {
        if self.one_in(4) {
            return std::mem::take(&mut self.0).to_vec();
        }
        let mut text = Vec::new();
        while !self.is_done() {
            self.push_word(words, &mut text);
        }
        text
    }

    /// A text of up to `pieces` words or single bytes.
    pub(crate) fn text(&mut self, words: &[&str], pieces: usize) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(pieces + 1) {
            self.push_word(words, &mut text);
        }
        text
    }

    /// The same as text.
    pub(crate) fn string(&mut self, words: &[&str], pieces: usize) -> String {
        String::from_utf8_lossy(&self.text(words, pieces)).into_owned()
    }

    /// Lines with a name among `names`, in whatever case, and a value of `words`.
    pub(crate) fn pairs(&mut self, names: &[&str], words: &[&str]) -> Vec<Pair> {
        let mut pairs = Vec::new();
        while !self.is_done() && pairs.len() < 12 {
            let name = self.of(names);
            pairs.push((self.cased(name).into_bytes(), self.text(words, 8)));
        }
        pairs
    }

    /// `name`, mostly as it is.
    pub(crate) fn cased(&mut self, name: &str) -> String {
        match self.below(6) {
            4 => name.to_ascii_uppercase(),
            5 => {
                let mut upper = true;
                let case = |letter: char| {
                    let cased = if upper {
                        letter.to_ascii_uppercase()
                    } else {
                        letter
                    };
                    upper = letter == '-';
                    cased
                };
                name.chars().map(case).collect()
            }
            _ => name.to_owned(),
        }
    }

    fn push_word(&mut self, words: &[&str], text: &mut Vec<u8>) {
        let choice = usize::from(self.byte());
        match words.get(choice % (words.len() + words.len() / 8 + 1)) {
            Some(word) => text.extend_from_slice(word.as_bytes()),
            None => text.push(self.byte()),
        }
    }
}

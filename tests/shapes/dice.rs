//! Choices out of a string of bytes.

/// Each choice takes a byte; when there are none left it is the first one, every time.
pub struct Dice<'a> {
    bytes: &'a [u8],
    /// Whether mistakes are rare.
    pub calm: bool,
}

impl<'a> Dice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, calm: false }
    }

    pub fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(first)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        let roll = if limit > 256 { self.byte() << 8 | self.byte() } else { self.byte() };
        roll % limit
    }

    /// Never when the bytes have run out.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// The bytes themselves, so many of them or what is left.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }
}

//! What is open around a value, so that depth costs neither stack nor much memory.

#[derive(Clone, Copy, Debug)]
pub(super) enum Container {
    Array,
    Object,
}

/// What is open around a value: one bit a level, so that a text made of brackets takes an eighth of its own length, and
/// ordinary depths no allocation.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    /// The innermost levels, the last one in the lowest bit.
    top: u64,
    /// Full words of the levels around them.
    below: Vec<u64>,
}

impl Nesting {
    #[inline]
    pub fn push(&mut self, container: Container) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(matches!(container, Container::Object));
        self.depth += 1;
    }

    #[inline]
    pub fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    #[inline]
    pub fn last(&self) -> Option<Container> {
        match (self.depth, self.top & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            _ => Some(Container::Object),
        }
    }
}

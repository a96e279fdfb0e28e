//! The first few of many: by order, not by when they came.

/// How many problems of one kind are shown of a partition.
pub const SHOWN: usize = 10;

/// The smallest of the things that were put in, in order.
#[derive(Clone, Debug)]
pub struct First<T>(Vec<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> First<T> {
    pub fn insert(&mut self, thing: T) {
        let at = self.0.partition_point(|known| *known < thing);
        if at < SHOWN {
            self.0.truncate(SHOWN - 1);
            self.0.insert(at, thing);
        }
    }

    pub fn into_iter(self) -> impl Iterator<Item = T> {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_stay_in_whatever_order_they_come() {
        let mut first = First::default();
        for number in [50, 3, 40, 90, 7, 1, 60, 2, 30, 20, 80, 70, 5, 10, 4] {
            first.insert(number);
        }
        assert_eq!(first.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 7, 10, 20, 30, 40]);
    }
}

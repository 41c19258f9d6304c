//! Draws by weight whose proportion is exact.

use kad_node::rng::Rng;

/// Draws like cards from a deck that is shuffled anew each time it runs out: the order is
/// random by seed, and the proportion is exact after each deck, not only on average.
#[derive(Clone, Debug)]
pub struct Deck<T> {
    cards: Vec<T>,
    drawn: usize,
    rng: Rng,
}

impl<T: Copy> Deck<T> {
    /// The smallest deck with so many cards of each.
    pub fn new(weights: impl Iterator<Item = (T, u32)> + Clone, rng: Rng) -> Self {
        let all = weights.clone().map(|(_, weight)| weight);
        let divisor = all.fold(0, greatest_common_divisor);
        let mut cards = Vec::new();
        for (card, weight) in weights {
            cards.extend(std::iter::repeat_n(card, (weight / divisor) as usize));
        }
        let drawn = cards.len();
        Self { cards, drawn, rng }
    }

    /// The next card.
    pub fn draw(&mut self) -> T {
        if self.drawn == self.cards.len() {
            self.shuffle();
            self.drawn = 0;
        }
        let card = self.cards[self.drawn];
        self.drawn += 1;
        card
    }

    /// Fisher and Yates's shuffle.
    fn shuffle(&mut self) {
        for last in (1..self.cards.len()).rev() {
            let other = self.rng.below(last as u64 + 1) as usize;
            self.cards.swap(last, other);
        }
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

//! Punycode (RFC 3492), the one direction that the Public Suffix List needs: a label's letters into ASCII.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

/// The part of an A-label after `xn--`.
pub(super) fn encode(label: &str) -> String {
    let mut encoded: String = label.chars().filter(char::is_ascii).collect();
    let basic = encoded.len() as u32;
    if basic > 0 {
        encoded.push('-');
    }
    let (mut next, mut delta, mut bias, mut handled) = (0x80, 0, 72, basic);
    let length = label.chars().count() as u32;
    while handled < length {
        let Some(code) = label.chars().map(u32::from).filter(|code| *code >= next).min() else { break };
        delta += (code - next) * (handled + 1);
        next = code;
        for other in label.chars().map(u32::from) {
            if other < next {
                delta += 1;
            }
            if other == next {
                push_number(&mut encoded, delta, bias);
                bias = adapted(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta += 1;
        next += 1;
    }
    encoded
}

/// A number in digits whose weights depend on the bias.
fn push_number(encoded: &mut String, mut number: u32, bias: u32) {
    let mut place = BASE;
    loop {
        let threshold = place.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            return encoded.push(digit(number));
        }
        encoded.push(digit(threshold + (number - threshold) % (BASE - threshold)));
        number = (number - threshold) / (BASE - threshold);
        place += BASE;
    }
}

fn digit(value: u32) -> char {
    char::from(if value < 26 { b'a' + value as u8 } else { b'0' + (value - 26) as u8 })
}

fn adapted(delta: u32, length: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / length;
    let mut places = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        places += BASE;
    }
    places + (BASE - T_MIN + 1) * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels as registries publish them.
    #[test]
    fn labels_are_encoded_as_registries_do() {
        for (label, expected) in [
            ("bücher", "bcher-kva"),
            ("bø", "b-5ga"),
            ("møre-og-romsdal", "mre-og-romsdal-qqb"),
            ("公司", "55qx5d"),
            ("рф", "p1ai"),
            ("한국", "3e0b707e"),
            ("ישראל", "4dbrk0ce"),
            ("ایران", "mgba3a4f16a"),
            ("السعودية", "mgberp4a5d4ar"),
            ("இலங்கை", "xkc2al3hye2a"),
        ] {
            assert_eq!(encode(label), expected, "{label}");
        }
    }
}

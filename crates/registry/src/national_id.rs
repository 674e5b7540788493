//! National identity numbers: found so that they can be refused.
//!
//! A person is known here by a pseudonym of the controller; a national number
//! in a reference field would undo that, and be copied into every backup. The
//! pattern alone is enough, without check digits: Danish numbers since 2007
//! need not fulfil theirs, Norway is loosening its own, and a mistyped number
//! is still somebody's.
//!
//! | Number | Form |
//! |---|---|
//! | Norwegian fødselsnummer | `DDMMYY NNNNN`; day + 40 (D-number); month + 40, + 65, + 80 (help and test numbers) |
//! | Danish CPR number | `DDMMYY-NNNN`; day + 60 (replacement number) |
//!
//! with a space, dash, dot or nothing in the middle, and neither letter nor
//! digit right before or after. An order number that looks like one passes with
//! a letter set directly before it.

/// Whether a text holds a national identity number.
pub(crate) fn holds_national_id(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).any(|start| {
        let fresh = start == 0 || !chars[start - 1].is_alphanumeric();
        fresh && starts_with_national_id(&chars[start..])
    })
}

fn starts_with_national_id(chars: &[char]) -> bool {
    let (Some(day), Some(month), Some(_year)) =
        (two_digits(chars, 0), two_digits(chars, 2), two_digits(chars, 4))
    else {
        return false;
    };
    let rest = match chars.get(6) {
        Some(' ' | '-' | '.' | '\u{a0}' | '\u{2011}' | '\u{2013}') => &chars[7..],
        _ => &chars[6..],
    };
    let tail: Vec<char> = rest.iter().copied().take_while(|c| c.is_alphanumeric()).collect();
    if !tail.iter().all(char::is_ascii_digit) {
        return false;
    }
    match tail.len() {
        5 => is_day(day, 40) && [0, 40, 65, 80].iter().any(|plus| is_month(month, *plus)),
        4 => is_day(day, 60) && is_month(month, 0),
        _ => false,
    }
}

fn two_digits(chars: &[char], start: usize) -> Option<u32> {
    match chars.get(start..start + 2)? {
        [tens, ones] => Some(tens.to_digit(10)? * 10 + ones.to_digit(10)?),
        _ => None,
    }
}

fn is_day(day: u32, plus: u32) -> bool {
    (1..=31).contains(&day) || (1 + plus..=31 + plus).contains(&day)
}

fn is_month(month: u32, plus: u32) -> bool {
    (1 + plus..=12 + plus).contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norwegian_and_danish_numbers_are_found_wherever_they_stand() {
        for number in [
            "01019012345", // as on a form
            "010190 12345",
            "010190-12345",
            "41019012345", // D-number
            "01419012345", // help number
            "01819012345", // test number
            "0101901234",  // CPR
            "010190-1234",
            "010190 1234",
            "610190-1234", // replacement number
        ] {
            for text in
                [number.to_owned(), format!("ref {number}"), format!("({number})."), format!("x/{number}/y")]
            {
                assert!(holds_national_id(&text), "{text}");
            }
        }
    }

    #[test]
    fn what_the_workshop_writes_every_day_passes() {
        for text in [
            "order 2026-11-20/0017",
            "WDB9634031L738001",
            "NO-999999999",
            "A0101901234", // a letter before it: an order number
            "991390-1234", // no such day
            "011390-1234", // no such month
            "1790000000000000",
            "0101901234567",
            "7K4M-9QRT-2XAC",
            "+47 22 00 00 00",
            "a1b2c3d4e5f60718293a4b5c6d7e8f90",
            "01019011111111111111111111111111", // an id of digits only
            "010190",
            "",
        ] {
            assert!(!holds_national_id(text), "{text}");
        }
    }
}

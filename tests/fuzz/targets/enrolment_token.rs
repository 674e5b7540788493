//! Tokens and the requests that bear them: what reads is written as it was read, one digit that
//! is not as it was told makes no token, and nothing that is printed shows one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vernport_api::{EnrolmentRequest, TOKEN_PREFIX, Token};

fn is_written_as_read(text: &str) -> Option<Token> {
    let token: Token = text.parse().ok()?;
    assert!(token.text().eq_ignore_ascii_case(text) && text.starts_with(TOKEN_PREFIX));
    assert_eq!(token.hash(), token.text().parse::<Token>().expect("as it is written").hash());
    assert!(!format!("{token:?}").contains(&text[TOKEN_PREFIX.len()..]));
    Some(token)
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_written_as_read(text);
    }
    if let Ok(asked) = serde_json::from_slice::<EnrolmentRequest>(bytes) {
        let written = serde_json::to_vec(&asked).expect("plain data");
        assert_eq!(serde_json::from_slice::<EnrolmentRequest>(&written).ok().as_ref(), Some(&asked));
        assert_eq!(asked.verify(), asked.verify());
        // Not that its digits are nowhere: whoever writes a request may put them into its proof, too.
        assert!(format!("{asked:?}").contains(&format!("{:?}", asked.token)));
    }
    // Chance never gives a checksum, so a token is made of the bytes; what follows says how it was copied wrongly.
    let Some((of, wrong)) = bytes.split_first_chunk::<32>() else { return };
    let token = Token::from_bytes(*of);
    let right = token.text();
    assert_eq!(is_written_as_read(&right).as_ref(), Some(&token));
    let mut copied = right.as_bytes().to_vec();
    for change in wrong.as_chunks::<3>().0 {
        let [how, place, byte] = *change;
        let place = usize::from(place) % (copied.len() + 1);
        match how % 3 {
            0 => copied.insert(place, byte),
            1 if place < copied.len() => drop(copied.remove(place)),
            _ if place < copied.len() => copied[place] = byte,
            _ => {}
        }
    }
    let Ok(copied) = String::from_utf8(copied) else { return };
    if let Some(read) = is_written_as_read(&copied) {
        assert_eq!(read == token, copied.eq_ignore_ascii_case(&right));
    }
});

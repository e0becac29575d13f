//! Lengths in CBOR (RFC 8949) that somebody else wrote.

/// Deepest nesting that is looked at: more than any decoder of ours follows.
const NESTING_MAX: usize = 64;
/// Members of a list that ends with a break.
const OPEN: u64 = u64::MAX;
const BREAK: u8 = 0xff;
const TAG: u8 = 6;

/// Whether these bytes hold as much as their lists, maps, texts and strings say.
///
/// A decoder makes room for a list's members when it has read their number alone. Lists nest, so
/// a hundred bytes could ask for a megabyte at each of their levels: what all open lists still
/// have to come is counted together, and may never be more than the bytes that are left. Whether
/// the bytes mean anything is the decoder's to say.
pub fn lengths_hold(bytes: &[u8]) -> bool {
    walk(bytes).is_some()
}

fn walk(bytes: &[u8]) -> Option<()> {
    let mut rest = bytes;
    // What each open list still has to come, and all of those that say it.
    let (mut open, mut depth, mut owed) = ([0u64; NESTING_MAX], 0usize, 0u64);
    while let Some((&head, tail)) = rest.split_first() {
        let argument;
        (argument, rest) = argument_of(head, tail)?;
        let innermost = depth.checked_sub(1).map(|at| &mut open[at]);
        if head >> 5 == TAG && argument.is_some() {
            // It stands before a member and is none.
            continue;
        }
        if head == BREAK {
            *innermost.filter(|members| **members == OPEN)? = 0;
        } else {
            if let Some(members) = innermost.filter(|members| **members != OPEN) {
                (*members, owed) = (*members - 1, owed - 1);
            }
            let members = members_of(head, argument, &mut rest)?;
            if members != OPEN {
                owed = owed.checked_add(members)?;
            }
            *open.get_mut(depth)? = members;
            depth += 1;
        }
        if owed > rest.len() as u64 {
            return None;
        }
        while depth > 0 && open[depth - 1] == 0 {
            depth -= 1;
        }
    }
    (depth == 0).then_some(())
}

/// How many members a head's item has; the bytes of a text or a string are left out of `rest`.
fn members_of(head: u8, argument: Option<u64>, rest: &mut &[u8]) -> Option<u64> {
    match (head >> 5, argument) {
        (0 | 1 | 7, Some(_)) => Some(0),
        (2 | 3, Some(length)) => {
            *rest = rest.get(usize::try_from(length).ok()?..)?;
            Some(0)
        }
        (4, Some(members)) => Some(members).filter(|members| *members != OPEN),
        (5, Some(pairs)) => pairs.checked_mul(2),
        (2..=5, None) => Some(OPEN),
        _ => None,
    }
}

/// The number beside a head's kind, none if it is of open length; and what follows it.
fn argument_of(head: u8, tail: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let wide = match head & 31 {
        small @ 0..=23 => return Some((Some(small.into()), tail)),
        wide @ 24..=27 => 1 << (wide - 24),
        31 => return Some((None, tail)),
        _ => return None,
    };
    let (number, rest) = tail.split_at_checked(wide)?;
    let number = number.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    Some((Some(number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_holds() {
        for whole in [
            &[0x00][..],
            &[0x83, 1, 2, 3],
            &[0xa1, 0x61, b'k', 0x82, 0x41, 7, 0xf6],
            &[0x9f, 0x81, 0x00, 0xbf, 0x60, 0x80, 0xff, 0xff],
            &[0x5f, 0x42, 1, 2, 0x40, 0xff],
            &[0x81, 0xc2, 0xd8, 9, 0x41, 1],
            &[0x18, 0xff],
            &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x82, 0x9f, 0xff, 0x80],
        ] {
            assert!(lengths_hold(whole), "{whole:x?}");
            assert!(!lengths_hold(&whole[..whole.len() - 1]) || whole.len() == 1, "{whole:x?}");
        }
    }

    #[test]
    fn what_is_only_said_does_not() {
        let huge = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let million = [0x9a, 0, 0x0f, 0, 0];
        // Each of these lists would fit, were it alone; the members of all do not.
        let nested = [[0x98, 40].repeat(20), vec![0; 60]].concat();
        for said in [
            &huge[..],
            &[&huge[..], &[0, BREAK]].concat(),
            &million,
            &[million.repeat(30), vec![0; 40]].concat(),
            &nested,
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x61],
            &[0x1c],
            &[BREAK],
            &[0x81, BREAK],
            &[0x1f],
            &[0x81; NESTING_MAX + 1],
            &[0x9f; NESTING_MAX + 1],
        ] {
            assert!(!lengths_hold(said), "{said:x?}");
        }
    }
}

//! How many letters two words differ in: changed, left out, added, or two neighbours swapped (optimal string alignment).

/// No word that is compared is longer; longer ones are not alike.
const LONGEST: usize = 64;

/// Returns the distance of two words, if it is not above `most`.
pub(super) fn within(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if b.len() - a.len() > most || b.len() > LONGEST {
        return None;
    }
    // Equal beginnings and ends take no part.
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let mut rows = [[0_usize; LONGEST + 1]; 3];
    for (column, cell) in rows[0].iter_mut().enumerate().take(b.len() + 1) {
        *cell = column;
    }
    for i in 1..=a.len() {
        let (before, previous, current) = ((i + 1) % 3, (i + 2) % 3, i % 3);
        rows[current][0] = i;
        let mut least = i;
        for j in 1..=b.len() {
            let changed = rows[previous][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut cost = changed.min(rows[previous][j] + 1).min(rows[current][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[before][j - 2] + 1);
            }
            rows[current][j] = cost;
            least = least.min(cost);
        }
        if least > most {
            return None;
        }
    }
    Some(rows[a.len() % 3][b.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: usize) {
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(within(a.as_bytes(), b.as_bytes(), 4), Some(expected), "{a} {b}");
            assert_eq!(within(a.as_bytes(), b.as_bytes(), expected), Some(expected), "{a} {b}");
            if let Some(less) = expected.checked_sub(1) {
                assert_eq!(within(a.as_bytes(), b.as_bytes(), less), None, "{a} {b}");
            }
        }
    }

    #[test]
    fn counts_changes_omissions_additions_and_swaps() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "a", 0),
            ("", "abc", 3),
            ("requests", "request", 1),
            ("requests", "requessts", 1),
            ("requests", "reqeusts", 1),
            ("requests", "erquesst", 2),
            ("requests", "rqeuetss", 2),
            ("urllib3", "urlib3", 1),
            ("colorama", "colourama", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("abcd", "badc", 2),
            ("ca", "abc", 3),
        ] {
            check(a, b, expected);
        }
        assert_eq!(within(&[b'a'; 100], &[b'a'; 100], 2), None);
    }
}

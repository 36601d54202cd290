//! Sorting what depends on each other: parents first, otherwise as in the file.

/// The order of `parents.len()` things, each after its parents and otherwise by number.
///
/// # Errors
/// Circles, each as the things along it; every thing stands in at most one.
pub(crate) fn sort(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut placed = vec![false; parents.len()];
    let is_placed = |placed: &[bool], i: &usize| placed.get(*i).copied().unwrap_or(true);
    let mut order = Vec::with_capacity(parents.len());
    // Each pass places at least one, so 1,024 parameters cost a million looks at worst.
    loop {
        let before = order.len();
        for (i, needs) in parents.iter().enumerate() {
            if !is_placed(&placed, &i) && needs.iter().all(|need| is_placed(&placed, need)) {
                if let Some(mark) = placed.get_mut(i) {
                    *mark = true;
                }
                order.push(i);
            }
        }
        if order.len() == parents.len() {
            return Ok(order);
        }
        if order.len() == before {
            break;
        }
    }
    Err(circles(parents, &mut placed))
}

/// Walks from every thing that could not be placed to a parent that could not, until it comes back.
fn circles(parents: &[Vec<usize>], done: &mut [bool]) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    for start in 0..parents.len() {
        let mut path: Vec<usize> = Vec::new();
        let mut at = start;
        while done.get(at) == Some(&false) {
            if let Some(place) = path.iter().position(|p| *p == at) {
                found.push(path.get(place..).unwrap_or_default().to_vec());
                break;
            }
            path.push(at);
            let next = parents
                .get(at)
                .and_then(|needs| needs.iter().find(|need| done.get(**need) == Some(&false)));
            match next {
                Some(next) => at = *next,
                None => break,
            }
        }
        for i in path {
            if let Some(mark) = done.get_mut(i) {
                *mark = true;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_the_rest_keeps_its_order() {
        assert_eq!(sort(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
        assert_eq!(sort(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(
            sort(&[vec![1], vec![2], vec![3], vec![]]),
            Ok(vec![3, 2, 1, 0])
        );
    }

    #[test]
    fn circles_are_named_without_what_merely_hangs_on_them() {
        assert_eq!(
            sort(&[vec![1], vec![2], vec![1], vec![], vec![5], vec![4]]),
            Err(vec![vec![1, 2], vec![4, 5]])
        );
        assert_eq!(sort(&[vec![0]]), Err(vec![vec![0]]));
    }
}

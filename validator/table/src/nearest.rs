//! Names near to one that was not found, for the hint of an error.

use crate::limits::NAMES_OFFERED_MAX;

/// The nearest candidates by edit distance, nearest first, at most a third of the name's length away.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let length = name.chars().count();
    let limit = (length / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        // Lengths that lie too far apart need no comparison, whose time is their product.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(NAMES_OFFERED_MAX).map(|(_, candidate)| candidate.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first_and_far_ones_not_at_all() {
        let tables = ["md.trades_v1", "md.trade_v2", "md.quotes", "md.trades_v2x"];
        assert_eq!(nearest("md.trades_v2", tables), ["md.trade_v2", "md.trades_v1", "md.trades_v2x"]);
        assert!(nearest("md.klines", ["md.book"]).is_empty());
    }
}

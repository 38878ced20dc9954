//! A follower of a real topic with transactions.

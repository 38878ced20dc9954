//! How many rows a second one core digests: canonical bytes, BLAKE3, bag, each timed by itself.
//!
//! `cargo run --release -p validator-core --example digest_rate [rows in a batch] [seconds]`; prints the median and
//! the best of many short rounds: on a shared machine other work only ever adds time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray};
use validator_core::bag::Bag;
use validator_core::digest::{Digest, DigestKey, RowHasher};
use validator_core::encode::{Arena, Domain, RowEncoder};
use validator_core::schema::{Field, Type};

const TARGET_ROWS_PER_SECOND_M: f64 = 4.0;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(8192, |text| text.parse().expect("rows in a batch"));
    let seconds = arguments.next().map_or(5.0, |text| text.parse().expect("seconds"));
    let (fields, columns) = trades(rows);
    let encoder = RowEncoder::new(Domain::Row, &fields).expect("ids are sound");
    let hasher = RowHasher::new(&DigestKey::public());
    let (mut arena, mut digests, mut bags) = (Arena::new(), Vec::new(), [Bag::EMPTY; 64]);

    let mut rounds: [Vec<Duration>; 4] = Default::default();
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < until {
        let start = Instant::now();
        arena.clear();
        encoder.encode(rows, &columns, None, &mut arena).expect("columns have their types");
        let encoded = Instant::now();
        hasher.digest(&arena, &mut digests);
        let hashed = Instant::now();
        add(&digests, &mut bags);
        let end = Instant::now();
        let round = [encoded - start, hashed - encoded, end - hashed, end - start];
        rounds.iter_mut().zip(round).for_each(|(rounds, time)| rounds.push(time));
    }

    let bytes: usize = (0..rows).map(|row| arena.row(row).len()).sum();
    let blocks: usize = (0..rows).map(|row| arena.padded(row).len() / 64).sum();
    println!(
        "{} columns, batches of {rows} rows, {:.1} canonical bytes and {:.2} blocks a row",
        columns.len(),
        bytes as f64 / rows as f64,
        blocks as f64 / rows as f64
    );
    for (name, mut times) in ["encode", "hash", "bag", "all"].into_iter().zip(rounds) {
        times.sort_unstable();
        let [median, best] = [times[times.len() / 2], times[0]].map(|time| time.as_nanos() as f64 / rows as f64);
        let rates = [median, best].map(|ns| 1e3 / ns);
        println!("{name:>7}: {median:6.1} ns/row, best {best:6.1}; {:8.2} M rows/s, best {:8.2}", rates[0], rates[1]);
    }
    println!("target: {TARGET_ROWS_PER_SECOND_M:.1} M rows/s");
    assert!(bags.iter().map(|bag| bag.count).sum::<u64>() > 0);
}

/// Adds each digest to the bag of its segment; neighbours mostly share one, as offsets do.
fn add(digests: &[Digest], bags: &mut [Bag; 64]) {
    for (row, digest) in digests.iter().enumerate() {
        bags[(row >> 7) & 63].add(digest);
    }
}

/// A table of trades: fourteen columns, NULLs in two of them, prices with zeros to strip.
fn trades(rows: usize) -> (Vec<Field>, Vec<ArrayRef>) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut longs = |below: u64| -> Vec<i64> { (0..rows).map(|_| random.below(below)).collect() };
    let price = Type::Decimal { precision: 18, scale: 8 };
    let columns: [(&str, Type, ArrayRef); 14] = [
        ("message_id", Type::String, text(&longs(1 << 40), |v| format!("9b2f6c1e-77aa-4c0d-{v:016x}"))),
        ("symbol", Type::String, text(&longs(5), |v| SYMBOLS[v as usize].to_owned())),
        ("conditions", Type::String, text(&longs(40), |v| CONDITIONS[..v as usize].to_owned())),
        (
            "price",
            price.clone(),
            number::<Decimal128Type>(&price, &longs(9_000_000), |v| Some(i128::from(v) * 1_000_000)),
        ),
        ("quantity", price.clone(), number::<Decimal128Type>(&price, &longs(1 << 30), |v| Some(i128::from(v) * 100))),
        ("fee", price.clone(), number::<Decimal128Type>(&price, &longs(90_000), |v| some(v).map(i128::from))),
        ("event_time", Type::Timestamptz, instant(&longs(60_000_000))),
        ("received_at", Type::Timestamptz, instant(&longs(60_000_000))),
        ("sequence", Type::Long, number::<Int64Type>(&Type::Long, &longs(1 << 33), Some)),
        ("flags", Type::Int, number::<Int32Type>(&Type::Int, &longs(256), |v| Some(v as i32))),
        ("is_maker", Type::Boolean, Arc::new(longs(2).iter().map(|v| Some(*v == 1)).collect::<BooleanArray>())),
        (
            "score",
            Type::Double,
            number::<Float64Type>(&Type::Double, &longs(1 << 20), |v| some(v).map(|v| v as f64 / 3.0)),
        ),
        ("day", Type::Date, number::<Date32Type>(&Type::Date, &longs(30), |v| Some(20_000 + v as i32))),
        ("trade_id", Type::Uuid, uuid(&longs(1 << 62))),
    ];
    let fields = columns.iter().zip(1..).map(|((name, ty, _), id)| Field::new(id, *name, false, ty.clone())).collect();
    (fields, columns.into_iter().map(|(_, _, column)| column).collect())
}

const SYMBOLS: [&str; 5] = ["BTC-USD", "ETH-USD", "SOL-USDT", "DOGE-USD", "XRP-EUR"];
const CONDITIONS: &str = "regular, odd lot, late, form T, cross, ask";

/// Marsaglia's xorshift: the same rows in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit) as i64
    }
}

/// NULL once in eight.
fn some(value: i64) -> Option<i64> {
    (value % 8 != 0).then_some(value)
}

fn number<T: ArrowPrimitiveType>(ty: &Type, values: &[i64], of: impl Fn(i64) -> Option<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter(values.iter().map(|v| of(*v))).with_data_type(ty.to_arrow()))
}

fn instant(values: &[i64]) -> ArrayRef {
    number::<TimestampMicrosecondType>(&Type::Timestamptz, values, |v| Some(1_760_000_000_000_000 + v))
}

fn text(values: &[i64], of: impl Fn(i64) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.iter().map(|v| of(*v))))
}

fn uuid(values: &[i64]) -> ArrayRef {
    let bytes = values.iter().map(|v| i128::from(*v).to_le_bytes());
    Arc::new(FixedSizeBinaryArray::try_from_iter(bytes).expect("16 bytes each"))
}

//! The figures as markdown.

use crate::life::Life;
use crate::tally::Sum;
use ionet_program_tests::{Features, SOL, thousands};

/// Units of a block and of one written account in it: SIMD-0256, and
/// `MAX_WRITABLE_ACCOUNT_UNITS` of the crate `solana-cost-model` up to 2.3.
const BLOCK_UNITS: u64 = 60_000_000;
const ACCOUNT_UNITS: u64 = 12_000_000;
/// Blocks in ten seconds.
const BLOCKS_IN_10_S: u64 = 25;

/// How to read the figures.
const HOW: &str = "
A lease, its vault and its pages are written by their own transactions alone. The hottest account
that leases share is the key that pays a coordinator's fees: the program asks for no certain payer,
so a coordinator that meets this limit pays with several keys. The fee owner's token account is
written by one sweep a lease, whenever that fits. The configuration, the mint and the programs are
only read. So no account of the program is written by every lease.

Sources: 60 M a block is SIMD-0256; 12 M an account is `MAX_WRITABLE_ACCOUNT_UNITS` of the crate
`solana-cost-model` up to 2.3 (4.2 has 24 M: twice the figures that it limits). As a block counts
them: executed units, 720 a signature, 300 a written account, one for 4 bytes of data, 8 for 32 KiB
of loaded accounts (the same crate, 4.2.2). Votes and others' transactions use the same blocks.
Suppliers are paid up to 20 in a transaction here; `ionet` pays 4, since each may also have to make
the supplier's token account. Pages are made for 24 lines, so one device lends as much as 24.
";

/// Lamports in dollars, with four decimals.
fn dollars(lamports: u64, price: u64) -> String {
    let parts = u128::from(lamports) * u128::from(price) * 10_000 / u128::from(SOL);
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

/// Things that need so many of a block's units each, a second, when they may use `of` a block.
fn a_second(of: u64, each: u64) -> String {
    let tenths = of * BLOCKS_IN_10_S / each;
    if tenths >= 1_000 {
        thousands(tenths / 10)
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

fn row(text: &mut String, name: &str, figures: impl Iterator<Item = String>) {
    text.push_str(&format!("| {name} |"));
    for figure in figures {
        text.push_str(&format!(" {figure} |"));
    }
    text.push('\n');
}

fn head(text: &mut String, lives: &[Life]) {
    let names = lives.iter().map(|life| match life.devices {
        1 => "1 device".to_owned(),
        devices => format!("{} devices", thousands(u64::from(devices))),
    });
    row(text, "", names);
    row(text, "---", lives.iter().map(|_| "---:".to_owned()));
}

fn sums(text: &mut String, price: u64, lives: &[Life], often: &[Life]) {
    let mut add = |name: &str, figure: &dyn Fn(&Life) -> String| {
        row(text, name, lives.iter().map(figure));
    };
    add("transactions", &|life| thousands(life.tally.whole().transactions));
    add("of them hourly attestations", &|life| thousands(life.tally.step("attest").transactions));
    add("bytes sent", &|life| thousands(life.tally.whole().bytes));
    add("**spent:** fees, lamports", &|life| thousands(life.tally.whole().fees));
    add("fees, dollars", &|life| dollars(life.tally.whole().fees, price));
    add("fees, dollars a device", &|life| {
        dollars(life.tally.whole().fees / u64::from(life.devices), price)
    });
    add("rent that stays (the counter, once a renter), lamports", &|life| thousands(life.kept));
    add("**lent:** rent that came back, lamports", &|life| thousands(life.lent));
    add("that rent, dollars", &|life| dollars(life.lent, price));
    add("compute units, executed", &|life| thousands(life.tally.whole().units));
    add("compute units, as a block counts them", &|life| thousands(life.tally.whole().block_units));
    let fees = |life: &Life| dollars(life.tally.whole().fees, price);
    row(text, "fees when attested every 600 s, dollars", often.iter().map(fees));
}

fn steps(text: &mut String, lives: &[Life]) {
    for (name, _) in &lives[0].tally.steps {
        let figure = |life: &Life| {
            let Sum { transactions, bytes, units, .. } = life.tally.step(name);
            let (count, bytes, units) =
                (thousands(transactions), thousands(bytes), thousands(units));
            format!("{count} / {bytes} / {units}")
        };
        row(text, name, lives.iter().map(figure));
    }
}

fn hottest(text: &mut String, life: &Life) {
    let whole = life.tally.whole().block_units;
    let mut names: Vec<_> = life
        .names
        .iter()
        .map(|(name, key)| (life.tally.written.get(key).copied().unwrap_or(0), *name))
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    for (units, name) in names {
        let share = format!("{}.{} %", units * 100 / whole, units * 1_000 / whole % 10);
        let shared = match name {
            "the key that pays the coordinator's fees" => "as many as pay fees with it",
            "the fee owner's token account" => "all in one mint, once each",
            "the renter's key" => "its renter's",
            "a device's record" => "those that hire the device",
            _ => "this one alone",
        };
        let lives = a_second(ACCOUNT_UNITS, units);
        text.push_str(&format!("| {name} | {share} | {shared} | {lives} |\n"));
    }
}

/// Everything.
pub(crate) fn text(features: Features, price: u64, lives: &[Life], often: &[Life]) -> String {
    let mut text = format!(
        "Whole lives of leases of a day, as real transactions on the bytecode ({features:?} \
         features):\nopen, bind, start, attest every hour, pay each supplier once, end, close, \
         finalize, sweep,\nreclaim. Each device is another supplier's. 5,000 lamports a \
         signature, no priority fee;\na SOL at {price} dollars (`lease_costs PRICE` takes \
         another).\n\n"
    );
    head(&mut text, lives);
    sums(&mut text, price, lives, often);
    text.push_str("\nStep by step: transactions / bytes / compute units executed.\n\n");
    head(&mut text, lives);
    steps(&mut text, lives);
    text.push_str(&format!(
        "\nA chain of {} units a block and a block in 0.4 s could carry so many whole lives a \
         second,\nif it did nothing else:\n\n",
        thousands(BLOCK_UNITS)
    ));
    head(&mut text, lives);
    row(
        &mut text,
        "leases a second",
        lives.iter().map(|life| a_second(BLOCK_UNITS, life.tally.whole().block_units)),
    );
    row(
        &mut text,
        "leases a second that one fee payer carries",
        lives.iter().map(|life| {
            let key = life.names[0].1;
            a_second(ACCOUNT_UNITS, life.tally.written[&key])
        }),
    );
    text.push_str(&format!(
        "\nOne written account may use {} units of a block. Who is written how much in a life of \
         {} devices:\n\n| account | in blocks' units of a life | leases that share it | lives a \
         second that it allows |\n| --- | ---: | --- | ---: |\n",
        thousands(ACCOUNT_UNITS),
        lives[1].devices
    ));
    hottest(&mut text, &lives[1]);
    text.push_str(HOW);
    text
}

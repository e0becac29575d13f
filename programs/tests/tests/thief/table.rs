//! The table in `docs/money.md`.

use crate::outcome::Row;
use crate::{admin, authority, coordinator, device, renter, session, stranger, supplier};
use ionet_program_tests::thousands;

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/money.md");
const BEGIN: &str = "<!-- generated: thieves -->\n";
const END: &str = "<!-- /generated -->\n";

/// In the order of the design's table.
fn rows() -> Vec<Row> {
    [
        coordinator::rows(),
        session::rows(),
        supplier::rows(),
        device::rows(),
        admin::rows(),
        authority::rows(),
        renter::rows(),
        stranger::rows(),
    ]
    .concat()
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| key lost | what the thief does | when | loses | base units | at most | what bounds it \
         |\n| --- | --- | --- | --- | ---: | ---: | --- |\n",
    );
    for row in rows {
        for loss in &row.losses {
            let who = if loss.lost == 0 { "nobody" } else { loss.who };
            let (lost, bound) = (thousands(loss.lost), thousands(loss.bound));
            text.push_str(&format!(
                "| {} | {} | {} | {who} | {lost} | {bound} | {} |\n",
                row.key, row.does, row.when, loss.by
            ));
        }
    }
    text
}

#[test]
fn the_documents_table_is_what_the_plays_came_to() {
    let doc = std::fs::read_to_string(DOC).expect("docs/money.md");
    let (head, rest) = doc.split_once(BEGIN).expect("where the table begins");
    let (found, tail) = rest.split_once(END).expect("where it ends");
    let made = table(&rows());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(DOC, [head, BEGIN, &made, END, tail].concat()).expect("docs/money.md");
        return;
    }
    for (is, was) in made.lines().zip(found.lines()) {
        assert_eq!(is, was, "UPDATE_GOLDEN=1 writes docs/money.md anew");
    }
    assert_eq!(made, found, "UPDATE_GOLDEN=1 writes docs/money.md anew");
}

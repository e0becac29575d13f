//! What the program itself wrote into a transaction's log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ionet_market_interface::PROGRAM_ID;
use solana_address::Address;

/// The runtime cut the log: what it should say stands in the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutLog;

/// The lines of data of the program, each joined, in order. Anyone can log the same bytes: only
/// lines count that the runtime wrote while the program, and nothing that it called, was running.
pub fn logged(log: &[String]) -> Result<Vec<Vec<u8>>, CutLog> {
    let ours = Address::from(PROGRAM_ID).to_string();
    let (mut running, mut found) = (Vec::<&str>::new(), Vec::new());
    for line in log {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["Log", "truncated"] => return Err(CutLog),
            ["Program", "data:", ref parts @ ..] if running.last() == Some(&ours.as_str()) => {
                let parts = parts.iter().map(|part| STANDARD.decode(part).expect("base64"));
                found.push(parts.collect::<Vec<_>>().concat());
            }
            ["Program", program, "invoke", _] => running.push(program),
            ["Program", program, "success"] | ["Program", program, "failed:", ..]
                if running.last() == Some(&program) =>
            {
                running.pop();
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_logged_does_not_count() {
        let ours = Address::from(PROGRAM_ID);
        let log = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let said = "Program data: AQI= Aw==";
        let good = format!("Program {ours} invoke [1]\n{said}\nProgram {ours} success");
        assert_eq!(logged(&log(&good)), Ok(vec![vec![1, 2, 3]]));
        let called = format!("Program X invoke [2]\n{said}\nProgram X success");
        let inside = format!("Program {ours} invoke [1]\n{called}\nProgram {ours} success");
        assert_eq!(logged(&log(&inside)), Ok(vec![]));
        let forged =
            format!("Program X invoke [1]\nProgram log: Program {ours} invoke [1]\n{said}");
        assert_eq!(logged(&log(&forged)), Ok(vec![]));
        assert_eq!(logged(&log("Log truncated")), Err(CutLog));
    }
}

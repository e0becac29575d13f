//! What experiments found, as tables and drawings.

use anyhow::Result;
use plotters::prelude::*;
use std::fmt::Write;

/// How a table came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Attackers did it, and the verifier's own code judged them.
    Ran,
    /// It follows from the protocol's numbers.
    Computed,
    /// Some of it ran: which, in words.
    Partly(&'static str),
}

/// One experiment.
pub struct Section {
    /// Where its table goes in the document.
    pub name: &'static str,
    /// How it came about.
    pub basis: Basis,
    /// Head of the table.
    pub head: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// Things that must be so, in words, and whether they are.
    pub must: Vec<(String, bool)>,
    /// A drawing.
    pub chart: Option<Chart>,
}

impl Section {
    /// Nothing yet.
    pub fn new(basis: Basis, name: &'static str, head: &[&'static str]) -> Self {
        let (rows, must) = (Vec::new(), Vec::new());
        Self { name, basis, head: head.to_vec(), rows, must, chart: None }
    }

    /// One row more.
    pub fn row(&mut self, cells: &[&dyn std::fmt::Display]) {
        self.rows.push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    /// Something that must be so.
    pub fn must(&mut self, words: impl Into<String>, holds: bool) {
        self.must.push((words.into(), holds));
    }

    /// Whether all of it is.
    pub fn holds(&self) -> bool {
        self.must.iter().all(|(_, holds)| *holds)
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("| {} |\n", self.head.join(" | "));
        let _ = writeln!(text, "|{}", " --- |".repeat(self.head.len()));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        let _ = match self.basis {
            Basis::Ran => writeln!(text, "\n*Ran.*"),
            Basis::Computed => writeln!(text, "\n*Computed.*"),
            Basis::Partly(what) => writeln!(text, "\n*Computed; {what} ran.*"),
        };
        if self.chart.is_some() {
            let _ = writeln!(text, "\n![{0}](verification/{0}.svg)", self.name);
        }
        text
    }
}

/// Curves over one axis.
pub struct Chart {
    /// Its words above.
    pub title: &'static str,
    /// What is to the right.
    pub x: &'static str,
    /// What is upwards.
    pub y: &'static str,
    /// Each with its name and points in ascending order.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

impl Chart {
    /// As an SVG.
    pub fn svg(&self) -> Result<String> {
        let points = || self.curves.iter().flat_map(|(_, points)| points);
        let right = points().fold(f64::EPSILON, |most, (x, _)| most.max(*x));
        let top = points().fold(1.0, |most: f64, (_, y)| most.max(*y));
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (640, 360)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .caption(self.title, ("sans-serif", 16))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(48)
                .build_cartesian_2d(0.0..right, 0.0..top * 1.05)?;
            chart.configure_mesh().x_desc(self.x).y_desc(self.y).draw()?;
            for (number, (name, points)) in self.curves.iter().enumerate() {
                let colour = Palette99::pick(number).to_rgba();
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                    .label(name)
                    .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour));
            }
            chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
            area.present()?;
        }
        Ok(text)
    }
}

/// The template with each `{{name}}` line replaced by that section's table.
pub fn document(template: &str, sections: &[Section]) -> Result<String> {
    let mut text = template.to_string();
    for section in sections {
        let mark = format!("{{{{{}}}}}\n", section.name);
        anyhow::ensure!(text.contains(&mark), "the template has no {{{{{}}}}}", section.name);
        text = text.replace(&mark, &section.markdown());
    }
    anyhow::ensure!(!text.contains("{{"), "the template asks for a table that nothing computes");
    Ok(text)
}

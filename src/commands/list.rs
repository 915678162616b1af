//! `rbdmap list`: the mapped images, byte for byte as `rbd device list` prints them (ceph `src/krbd.cc`, dump_images, and
//! `src/common/TextTable.cc`). Columns are as wide as their widest cell, two blanks apart, and every line is padded. Widths
//! are counted in bytes, so `größe` is padded with two blanks too few. Without mappings nothing is printed. JSON is one line,
//! with the number as a string.

use anyhow::Result;
use serde::Serialize;

use crate::cli::Format;
use crate::model::mapping::Mapping;
use crate::report::failures::Report;
use crate::runtime::root::Root;
use crate::sys::rbd::bus;

/// Prints the list.
pub fn run(root: &Root, format: Format) -> Result<Report> {
    print!("{}", render(&bus::list(root)?, format));
    Ok(Report::default())
}

const HEADER: [&str; 6] = ["id", "pool", "namespace", "image", "snap", "device"];

/// One row. The fields are the keys of the JSON form, in rbd's order.
#[derive(Serialize)]
struct ListRow {
    id: String,
    pool: String,
    namespace: String,
    name: String,
    snap: String,
    device: String,
}

fn render(mappings: &[Mapping], format: Format) -> String {
    let rows: Vec<ListRow> = mappings.iter().map(ListRow::from).collect();
    match format {
        Format::Plain => plain(&rows),
        // Serializing structs of strings cannot fail.
        Format::Json => serde_json::to_string(&rows).unwrap_or_default() + "\n",
    }
}

fn plain(rows: &[ListRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut lines = vec![HEADER];
    lines.extend(rows.iter().map(ListRow::cells));
    let widths = [0, 1, 2, 3, 4, 5].map(|column| column_width(&lines, column));
    lines.iter().map(|cells| padded(cells, &widths)).collect()
}

fn column_width(lines: &[[&str; 6]], column: usize) -> usize {
    lines
        .iter()
        .map(|cells| cells[column].len())
        .max()
        .unwrap_or(0)
}

fn padded(cells: &[&str; 6], widths: &[usize; 6]) -> String {
    let mut fields = Vec::new();
    for (cell, width) in cells.iter().zip(widths) {
        // Not `{cell:width$}`, which counts characters.
        fields.push((*cell).to_owned() + &" ".repeat(width - cell.len()));
    }
    fields.join("  ") + "\n"
}

impl ListRow {
    fn cells(&self) -> [&str; 6] {
        [
            &self.id,
            &self.pool,
            &self.namespace,
            &self.name,
            &self.snap,
            &self.device,
        ]
    }
}

impl From<&Mapping> for ListRow {
    fn from(mapping: &Mapping) -> Self {
        let spec = &mapping.spec;
        Self {
            id: mapping.id.to_string(),
            pool: spec.pool.clone(),
            namespace: spec.namespace.clone().unwrap_or_default(),
            name: spec.image.clone(),
            snap: spec.snapshot.clone().unwrap_or_else(|| "-".to_owned()),
            device: format!("/dev/{}", mapping.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(id: u32, spec: &str) -> Mapping {
        Mapping {
            id,
            spec: spec.parse().unwrap(),
            fsid: String::new(),
            read_only: false,
            tag: None,
            number: (252, 0),
        }
    }

    /// The expected text is what `rbd device list` 16.2.15 printed for the same three mappings.
    #[test]
    fn rows_are_padded_as_the_rbd_command_pads_them() {
        let mappings = [
            mapping(0, "rbd/img1"),
            mapping(1, "rbd/ns1/i2@snap@1"),
            mapping(10, "rbd/img1"),
        ];
        let expected = "id  pool  namespace  image  snap    device    \n\
                        0   rbd              img1   -       /dev/rbd0 \n\
                        1   rbd   ns1        i2     snap@1  /dev/rbd1 \n\
                        10  rbd              img1   -       /dev/rbd10\n";
        assert_eq!(render(&mappings, Format::Plain), expected);
    }

    #[test]
    fn json_has_the_keys_of_the_rbd_command() {
        let expected = "[{\"id\":\"0\",\"pool\":\"rbd\",\"namespace\":\"\",\"name\":\"img1\",\"snap\":\"-\",\"device\":\"/dev/rbd0\"}]\n";
        assert_eq!(render(&[mapping(0, "rbd/img1")], Format::Json), expected);
    }

    #[test]
    fn without_mappings_the_output_is_empty() {
        assert_eq!(render(&[], Format::Plain), "");
        assert_eq!(render(&[], Format::Json), "[]\n");
    }
}

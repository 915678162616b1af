//! `rbdmap list`: what the kernel has mapped, byte for byte as `rbd device list` prints it (ceph `src/krbd.cc`, dump_images,
//! and `common/TextTable.cc`): columns as wide as their widest cell, two blanks between, every line padded, nothing at all
//! without mappings; widths are counted in bytes, so that `größe` is two columns short; JSON on one line with the number as text.

use serde::Serialize;

use crate::cli::Format;
use crate::model::mapping::Mapping;

/// One row of `--format json`, in the order of `rbd`'s keys.
#[derive(Serialize)]
struct ListRow {
    id: String,
    pool: String,
    namespace: String,
    name: String,
    snap: String,
    device: String,
}

/// The text to print.
pub fn render(mappings: &[Mapping], format: Format) -> String {
    let rows: Vec<ListRow> = mappings.iter().map(ListRow::from).collect();
    match format {
        Format::Plain => plain(&rows),
        // A list of structs of strings always has a JSON form.
        Format::Json => serde_json::to_string(&rows).unwrap_or_default() + "\n",
    }
}

fn plain(rows: &[ListRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let header = ["id", "pool", "namespace", "image", "snap", "device"];
    let cells: Vec<[&str; 6]> = std::iter::once(header)
        .chain(rows.iter().map(ListRow::cells))
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &[&str; 6]| -> String {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| (*cell).to_owned() + &" ".repeat(width - cell.len()))
            .collect();
        padded.join("  ") + "\n"
    };
    cells.iter().map(line).collect()
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
        let spec = spec.parse().unwrap();
        Mapping {
            id,
            spec,
            fsid: String::new(),
            read_only: false,
            tag: None,
            number: (252, 0),
        }
    }

    /// What `rbd device list` 16.2.15 printed for the same three mappings.
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
    fn nothing_mapped_is_nothing_printed() {
        assert_eq!(
            (
                render(&[], Format::Plain).as_str(),
                render(&[], Format::Json).as_str()
            ),
            ("", "[]\n")
        );
    }
}

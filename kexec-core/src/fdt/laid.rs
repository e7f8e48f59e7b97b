//! Trees for tests.

use std::vec::Vec;

/// A tree laid out token by token.
pub(crate) struct Laid {
    pub(crate) structure: Vec<u8>,
    pub(crate) strings: Vec<u8>,
    pub(crate) reserve: Vec<u8>,
}

impl Laid {
    pub(crate) fn root() -> Self {
        let mut laid = Self { structure: Vec::new(), strings: Vec::new(), reserve: Vec::new() };
        laid.begin("");
        laid
    }

    pub(crate) fn with_cells(address: u32, size: u32) -> Self {
        let mut laid = Self::root();
        laid.property("#address-cells", &address.to_be_bytes());
        laid.property("#size-cells", &size.to_be_bytes());
        laid
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.structure.extend(value.to_be_bytes());
    }

    pub(crate) fn padded(&mut self, bytes: &[u8]) {
        self.structure.extend(bytes);
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
    }

    pub(crate) fn begin(&mut self, name: &str) {
        self.u32(1);
        let mut name = name.as_bytes().to_vec();
        name.push(0);
        self.padded(&name);
    }

    pub(crate) fn property(&mut self, name: &str, value: &[u8]) {
        self.u32(3);
        self.u32(value.len() as u32);
        self.u32(self.strings.len() as u32);
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        self.padded(value);
    }

    pub(crate) fn memory(&mut self, reg: &[u32]) {
        self.begin("memory");
        self.property("device_type", b"memory\0");
        let reg: Vec<u8> = reg.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.property("reg", &reg);
        self.u32(2);
    }

    /// Ends the root and the tree.
    pub(crate) fn blob(mut self) -> Vec<u8> {
        self.u32(2);
        self.u32(9);
        self.unended()
    }

    pub(crate) fn unended(mut self) -> Vec<u8> {
        self.reserve.extend([0; 16]);
        let struct_at = 40 + self.reserve.len();
        let strings_at = struct_at + self.structure.len();
        let total = strings_at + self.strings.len();
        let words = [
            0xd00d_feed,
            total,
            struct_at,
            strings_at,
            40,
            17,
            16,
            0,
            self.strings.len(),
            self.structure.len(),
        ];
        let header: Vec<u8> = words.iter().flat_map(|&word| (word as u32).to_be_bytes()).collect();
        [header, self.reserve, self.structure, self.strings].concat()
    }
}

//! Where the crashed kernel's symbols stand: by VMCOREINFO, or by a list of them.

use std::fs;
use std::path::Path;

use vmcore_format::vmcoreinfo::VmcoreInfo;

use crate::exit::Failure;

/// The symbols that are known.
#[derive(Debug)]
pub(crate) struct Symbols<'a> {
    info: Option<VmcoreInfo<'a>>,
    /// Address, as the crashed kernel had it, and name; in the order of addresses.
    list: Option<Vec<(u64, String)>>,
}

impl<'a> Symbols<'a> {
    /// Those of VMCOREINFO, or of a System.map or a copy of /proc/kallsyms at `path`, moved to where the crashed kernel's
    /// `_stext` was.
    pub(crate) fn open(path: Option<&Path>, info: Option<VmcoreInfo<'a>>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self { info, list: None }) };
        let text = fs::read(path).map_err(|error| Failure::with_path(path, &error))?;
        let text = String::from_utf8_lossy(&text);
        let mut list: Vec<(u64, String)> = text.lines().filter_map(parse_line).collect();
        let fails = |why: &str| Failure::new(format!("{}: {why}", path.display()));
        let listed = list.iter().find(|(_, name)| name == "_stext").map(|(addr, _)| *addr);
        let listed = listed.filter(|&addr| addr != 0).ok_or_else(|| fails("no address of _stext"))?;
        let crashed = info.and_then(|info| info.symbol("_stext"));
        let crashed = crashed.ok_or_else(|| fails("the dump does not say where _stext was"))?;
        let moved = crashed.wrapping_sub(listed);
        list.iter_mut().for_each(|(addr, _)| *addr = addr.wrapping_add(moved));
        list.sort_unstable();
        Ok(Self { info, list: Some(list) })
    }

    /// Each address of the symbol with its length, where it is known. A name that stands for several is all of them.
    /// `0x` begins an address.
    pub(crate) fn find(&self, name: &str) -> Result<Vec<(u64, Option<u64>)>, String> {
        if let Some(digits) = name.strip_prefix("0x") {
            let addr = u64::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
            return Ok(vec![(addr, None)]);
        }
        let Some(list) = &self.list else {
            let addr = self.info.and_then(|info| info.symbol(name));
            let addr = addr.ok_or("VMCOREINFO does not have it; --symbols FILE names more")?;
            return Ok(vec![(addr, None)]);
        };
        let named = list.iter().filter(|(_, listed)| listed == name);
        let found: Vec<_> = named.map(|(addr, _)| (*addr, length(list, *addr))).collect();
        if found.is_empty() { Err("there is no such symbol".into()) } else { Ok(found) }
    }
}

/// How far it is to the next symbol that stands elsewhere.
fn length(list: &[(u64, String)], addr: u64) -> Option<u64> {
    let next = list.partition_point(|(listed, _)| *listed <= addr);
    list.get(next).map(|(listed, _)| listed.wrapping_sub(addr))
}

/// Address, kind and name.
fn parse_line(line: &str) -> Option<(u64, String)> {
    let mut words = line.split_whitespace();
    let addr = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((addr, words.nth(1)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_moved_to_where_the_kernel_was() {
        let path = std::env::temp_dir().join(format!("kcap-symbols-{}", std::process::id()));
        let list = "ffffffff81000000 T _text\nffffffff81000000 T _stext\nffffffff82000010 d key\n\
            ffffffff82000010 D alias\nffffffff82000030 b next\nffffffff83000000 t key\t[module]\n";
        fs::write(&path, list).unwrap();
        let text = b"SYMBOL(_stext)=ffffffff91000000\nSYMBOL(prb)=ffffffff92000000\n";
        let info = Some(VmcoreInfo::new(text));
        let symbols = Symbols::open(Some(&path), info).unwrap();
        let key = [(0xffff_ffff_9200_0010, Some(0x20)), (0xffff_ffff_9300_0000, None)];
        assert_eq!(symbols.find("key").unwrap(), key);
        assert_eq!(symbols.find("alias").unwrap(), key[..1]);
        assert!(symbols.find("prb").is_err());
        assert_eq!(symbols.find("0xffff").unwrap(), [(0xffff, None)]);
        assert!(symbols.find("0x").is_err());
        assert!(Symbols::open(Some(&path), None).is_err());
        // As /proc/kallsyms is for those who may not know.
        fs::write(&path, "0000000000000000 T _stext\n0000000000000000 d key\n").unwrap();
        assert!(Symbols::open(Some(&path), info).is_err());
        fs::remove_file(&path).unwrap();
        let symbols = Symbols::open(None, info).unwrap();
        assert_eq!(symbols.find("prb").unwrap(), [(0xffff_ffff_9200_0000, None)]);
        assert!(symbols.find("key").is_err());
    }
}

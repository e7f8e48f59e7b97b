//! The system's C codecs, called through their published functions.

use core::cell::RefCell;
use core::ffi::{c_int, c_ulong, c_void};
use core::ptr;

use libloading::Library;

type Compress = dyn Fn(&[u8], &mut [u8]) -> usize;

/// One C library. Both ways answer with the number of bytes written; they panic when the library fails.
pub(crate) struct CCodec {
    encode: Box<Compress>,
    decode: Box<Compress>,
}

impl CCodec {
    pub(crate) fn encode(&self, page: &[u8], out: &mut [u8]) -> usize {
        (self.encode)(page, out)
    }

    pub(crate) fn decode(&self, src: &[u8], page: &mut [u8]) -> usize {
        (self.decode)(src, page)
    }

    pub(crate) fn lzo1x_1() -> Self {
        type Function = unsafe extern "C" fn(*const u8, usize, *mut u8, *mut usize, *mut c_void) -> c_int;
        let library = open("liblzo2.so.2", "liblzo2-2");
        let compress: Function = function(library, "lzo1x_1_compress");
        let decompress: Function = function(library, "lzo1x_decompress_safe");
        // LZO1X_1_MEM_COMPRESS is 128 KiB.
        let work = RefCell::new(vec![0u64; 1 << 14]);
        Self {
            encode: Box::new(move |src, out| {
                let mut len = out.len();
                let work = work.borrow_mut().as_mut_ptr().cast();
                // SAFETY: both buffers are as long as said, and the work memory as large as the function wants.
                let status = unsafe { compress(src.as_ptr(), src.len(), out.as_mut_ptr(), &mut len, work) };
                assert_eq!(status, 0, "lzo1x_1_compress");
                len
            }),
            decode: Box::new(move |src, out| {
                let mut len = out.len();
                let out = out.as_mut_ptr();
                // SAFETY: both buffers are as long as said; this function needs no work memory.
                let status = unsafe { decompress(src.as_ptr(), src.len(), out, &mut len, ptr::null_mut()) };
                assert_eq!(status, 0, "lzo1x_decompress_safe");
                len
            }),
        }
    }

    pub(crate) fn snappy() -> Self {
        type Function = unsafe extern "C" fn(*const u8, usize, *mut u8, *mut usize) -> c_int;
        let library = open("libsnappy.so.1", "libsnappy1v5");
        let both = |name: &'static str| -> Box<Compress> {
            let function: Function = function(library, name);
            Box::new(move |src, out| {
                let mut len = out.len();
                // SAFETY: both buffers are as long as said.
                let status = unsafe { function(src.as_ptr(), src.len(), out.as_mut_ptr(), &mut len) };
                assert_eq!(status, 0, "{name}");
                len
            })
        };
        Self { encode: both("snappy_compress"), decode: both("snappy_uncompress") }
    }

    pub(crate) fn zlib(level: c_int) -> Self {
        type Compress2 = unsafe extern "C" fn(*mut u8, *mut c_ulong, *const u8, c_ulong, c_int) -> c_int;
        type Uncompress = unsafe extern "C" fn(*mut u8, *mut c_ulong, *const u8, c_ulong) -> c_int;
        let library = open("libz.so.1", "zlib1g");
        let compress: Compress2 = function(library, "compress2");
        let uncompress: Uncompress = function(library, "uncompress");
        Self {
            encode: Box::new(move |src, out| {
                let mut len = out.len() as c_ulong;
                let src_len = src.len() as c_ulong;
                // SAFETY: both buffers are as long as said.
                let status = unsafe { compress(out.as_mut_ptr(), &mut len, src.as_ptr(), src_len, level) };
                assert_eq!(status, 0, "compress2");
                len as usize
            }),
            decode: Box::new(move |src, out| {
                let mut len = out.len() as c_ulong;
                let src_len = src.len() as c_ulong;
                // SAFETY: both buffers are as long as said.
                let status = unsafe { uncompress(out.as_mut_ptr(), &mut len, src.as_ptr(), src_len) };
                assert_eq!(status, 0, "uncompress");
                len as usize
            }),
        }
    }

    /// With contexts that serve every page.
    pub(crate) fn zstd(level: c_int) -> Self {
        type Create = unsafe extern "C" fn() -> *mut c_void;
        type Compress = unsafe extern "C" fn(*mut c_void, *mut u8, usize, *const u8, usize, c_int) -> usize;
        type Decompress = unsafe extern "C" fn(*mut c_void, *mut u8, usize, *const u8, usize) -> usize;
        let library = open("libzstd.so.1", "libzstd1");
        let create = |name| {
            let create: Create = function(library, name);
            // SAFETY: the function takes nothing; the context lives as long as the process.
            let context = unsafe { create() };
            assert!(!context.is_null(), "{name}");
            context
        };
        let (compression, decompression) = (create("ZSTD_createCCtx"), create("ZSTD_createDCtx"));
        let compress: Compress = function(library, "ZSTD_compressCCtx");
        let decompress: Decompress = function(library, "ZSTD_decompressDCtx");
        Self {
            encode: Box::new(move |src, out| {
                let (out, room) = (out.as_mut_ptr(), out.len());
                // SAFETY: both buffers are as long as said; the context is not shared.
                let len = unsafe { compress(compression, out, room, src.as_ptr(), src.len(), level) };
                assert!(len <= room, "ZSTD_compressCCtx");
                len
            }),
            decode: Box::new(move |src, out| {
                let (out, room) = (out.as_mut_ptr(), out.len());
                // SAFETY: both buffers are as long as said; the context is not shared.
                let len = unsafe { decompress(decompression, out, room, src.as_ptr(), src.len()) };
                assert!(len <= room, "ZSTD_decompressDCtx");
                len
            }),
        }
    }
}

/// Opens a library for as long as the process lives.
fn open(name: &str, package: &str) -> &'static Library {
    // SAFETY: the libraries' initialisers ask for nothing.
    let library = unsafe { Library::new(name) };
    let library = library.unwrap_or_else(|error| panic!("{error}: install the package {package}"));
    Box::leak(Box::new(library))
}

/// A function of type `F`, which must be that of the library's header.
fn function<F: Copy>(library: &'static Library, name: &str) -> F {
    // SAFETY: the types above are those of the headers.
    *unsafe { library.get::<F>(name.as_bytes()) }.unwrap_or_else(|error| panic!("{error}"))
}

//! The system's C codecs, called through their published functions. An answer is `None` where the library refuses.
#![expect(unsafe_code, reason = "calls of C functions")]

use core::ffi::{c_int, c_ulong, c_void};
use core::ptr;
use std::sync::OnceLock;

use libloading::Library;

type Lzo = unsafe extern "C" fn(*const u8, usize, *mut u8, *mut usize, *mut c_void) -> c_int;
type Snappy = unsafe extern "C" fn(*const u8, usize, *mut u8, *mut usize) -> c_int;
type Compress2 = unsafe extern "C" fn(*mut u8, *mut c_ulong, *const u8, c_ulong, c_int) -> c_int;
type Uncompress2 = unsafe extern "C" fn(*mut u8, *mut c_ulong, *const u8, *mut c_ulong) -> c_int;
type ZstdCompress = unsafe extern "C" fn(*mut u8, usize, *const u8, usize, c_int) -> usize;
type ZstdDecompress = unsafe extern "C" fn(*mut c_void, *mut u8, usize, *const u8, usize) -> usize;

/// The functions, looked up once.
pub(crate) struct CLibraries {
    lzo_compress: Lzo,
    lzo_decompress: Lzo,
    snappy_compress: Snappy,
    snappy_uncompress: Snappy,
    compress2: Compress2,
    uncompress2: Uncompress2,
    zstd_compress: ZstdCompress,
    zstd_decompress: ZstdDecompress,
    /// Where `ZSTD_decompressDCtx` keeps its state: an address, so that this may be shared.
    zstd_context: usize,
}

/// The libraries; a fuzzer has one thread.
pub(crate) fn c_libraries() -> &'static CLibraries {
    static LIBRARIES: OnceLock<CLibraries> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let (lzo, snappy) = (open("liblzo2.so.2", "liblzo2-2"), open("libsnappy.so.1", "libsnappy1v5"));
        let (zlib, zstd) = (open("libz.so.1", "zlib1g"), open("libzstd.so.1", "libzstd1"));
        let create: unsafe extern "C" fn() -> *mut c_void = function(zstd, "ZSTD_createDCtx");
        // SAFETY: the function takes nothing; the context lives as long as the process.
        let context = unsafe { create() };
        assert!(!context.is_null(), "ZSTD_createDCtx");
        CLibraries {
            lzo_compress: function(lzo, "lzo1x_1_compress"),
            lzo_decompress: function(lzo, "lzo1x_decompress_safe"),
            snappy_compress: function(snappy, "snappy_compress"),
            snappy_uncompress: function(snappy, "snappy_uncompress"),
            compress2: function(zlib, "compress2"),
            uncompress2: function(zlib, "uncompress2"),
            zstd_compress: function(zstd, "ZSTD_compress"),
            zstd_decompress: function(zstd, "ZSTD_decompressDCtx"),
            zstd_context: context as usize,
        }
    })
}

/// Every function takes what is to be read, and fills the front of `out`: answers how many bytes.
impl CLibraries {
    pub(crate) fn lzo_encode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        // LZO1X_1_MEM_COMPRESS is 128 KiB.
        let mut work = vec![0u64; 1 << 14];
        let mut len = out.len();
        let work = work.as_mut_ptr().cast();
        // SAFETY: both buffers are as long as said, and the work memory as large as the function wants.
        let status =
            unsafe { (self.lzo_compress)(src.as_ptr(), src.len(), out.as_mut_ptr(), &mut len, work) };
        (status == 0).then_some(len)
    }

    pub(crate) fn lzo_decode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut len = out.len();
        let (from, to) = (src.as_ptr(), out.as_mut_ptr());
        // SAFETY: both buffers are as long as said; this function needs no work memory.
        let status = unsafe { (self.lzo_decompress)(from, src.len(), to, &mut len, ptr::null_mut()) };
        (status == 0).then_some(len)
    }

    pub(crate) fn snappy_encode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut len = out.len();
        // SAFETY: both buffers are as long as said.
        let status = unsafe { (self.snappy_compress)(src.as_ptr(), src.len(), out.as_mut_ptr(), &mut len) };
        (status == 0).then_some(len)
    }

    pub(crate) fn snappy_decode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut len = out.len();
        // SAFETY: both buffers are as long as said.
        let status = unsafe { (self.snappy_uncompress)(src.as_ptr(), src.len(), out.as_mut_ptr(), &mut len) };
        (status == 0).then_some(len)
    }

    pub(crate) fn zlib_encode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut len = out.len() as c_ulong;
        let (from, from_len) = (src.as_ptr(), src.len() as c_ulong);
        // SAFETY: both buffers are as long as said.
        let status = unsafe { (self.compress2)(out.as_mut_ptr(), &mut len, from, from_len, 6) };
        (status == 0).then_some(len as usize)
    }

    /// Refuses bytes after the stream, too.
    pub(crate) fn zlib_decode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let (mut len, mut src_len) = (out.len() as c_ulong, src.len() as c_ulong);
        // SAFETY: both buffers are as long as said.
        let status = unsafe { (self.uncompress2)(out.as_mut_ptr(), &mut len, src.as_ptr(), &mut src_len) };
        (status == 0 && src_len as usize == src.len()).then_some(len as usize)
    }

    pub(crate) fn zstd_encode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let room = out.len();
        // SAFETY: both buffers are as long as said.
        let len = unsafe { (self.zstd_compress)(out.as_mut_ptr(), room, src.as_ptr(), src.len(), 3) };
        (len <= room).then_some(len)
    }

    pub(crate) fn zstd_decode(&self, src: &[u8], out: &mut [u8]) -> Option<usize> {
        let (context, room) = (self.zstd_context as *mut c_void, out.len());
        // SAFETY: both buffers are as long as said; one thread uses the context.
        let len = unsafe { (self.zstd_decompress)(context, out.as_mut_ptr(), room, src.as_ptr(), src.len()) };
        (len <= room).then_some(len)
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

"""Compresses and decompresses pages with the systems' C libraries, through their published functions.

    c_libraries.py decode CODEC
    c_libraries.py encode CODEC OPTION...

stdin holds records of two little-endian 32-bit numbers, the page's length and the number of bytes, and the bytes;
stdout gets one record for each, a number of bytes and the bytes. The number is 0xffffffff for what the library refuses.
"""
import ctypes
import functools
import struct
import sys

PACKAGES = {"libz.so.1": "zlib1g", "liblzo2.so.2": "liblzo2-2", "libsnappy.so.1": "libsnappy1v5", "libzstd.so.1": "libzstd1"}


@functools.cache
def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        sys.exit(f"{name} is missing: install the package {PACKAGES[name]}")


def room(size):
    return ctypes.create_string_buffer(size)


@functools.cache
def work_memory():
    return room(1 << 19)


def zlib_decode(src, page_len):
    z, out, out_len = library("libz.so.1"), room(page_len + 1), ctypes.c_ulong(page_len + 1)
    if z.uncompress(out, ctypes.byref(out_len), src, ctypes.c_ulong(len(src))):
        return None
    return out.raw[:out_len.value]


def zlib_encode(page, level, window_bits, mem_level, strategy):
    class Stream(ctypes.Structure):
        _fields_ = [("next_in", ctypes.c_char_p), ("avail_in", ctypes.c_uint), ("total_in", ctypes.c_ulong),
                    ("next_out", ctypes.c_void_p), ("avail_out", ctypes.c_uint), ("total_out", ctypes.c_ulong),
                    ("msg", ctypes.c_char_p), ("state", ctypes.c_void_p), ("zalloc", ctypes.c_void_p),
                    ("zfree", ctypes.c_void_p), ("opaque", ctypes.c_void_p), ("data_type", ctypes.c_int),
                    ("adler", ctypes.c_ulong), ("reserved", ctypes.c_ulong)]
    z, out = library("libz.so.1"), room(2 * len(page) + 100)
    stream = Stream(next_in=page, avail_in=len(page), next_out=ctypes.addressof(out), avail_out=len(out))
    size = ctypes.c_int(ctypes.sizeof(Stream))
    deflated, finish, stream_end = 8, 4, 1
    if z.deflateInit2_(ctypes.byref(stream), int(level), deflated, int(window_bits), int(mem_level), int(strategy), b"1.2", size):
        return None
    ended = z.deflate(ctypes.byref(stream), finish)
    z.deflateEnd(ctypes.byref(stream))
    return out.raw[:stream.total_out] if ended == stream_end else None


def lzo_decode(src, page_len):
    lzo, out, out_len = library("liblzo2.so.2"), room(page_len + 1), ctypes.c_size_t(page_len)
    if lzo.lzo1x_decompress_safe(src, ctypes.c_size_t(len(src)), out, ctypes.byref(out_len), None):
        return None
    return out.raw[:out_len.value]


def lzo_encode(page, function, level=None):
    lzo, out, work = library("liblzo2.so.2"), room(2 * len(page) + 100), work_memory()
    out_len = ctypes.c_size_t(len(out))
    arguments = [page, ctypes.c_size_t(len(page)), out, ctypes.byref(out_len), work]
    if level:
        arguments += [None, ctypes.c_size_t(0), None, int(level)]
    return None if getattr(lzo, function)(*arguments) else out.raw[:out_len.value]


def snappy_decode(src, page_len):
    snappy, out, out_len = library("libsnappy.so.1"), room(page_len + 1), ctypes.c_size_t(page_len + 1)
    if snappy.snappy_uncompress(src, ctypes.c_size_t(len(src)), out, ctypes.byref(out_len)):
        return None
    return out.raw[:out_len.value]


def snappy_encode(page):
    snappy, out = library("libsnappy.so.1"), room(2 * len(page) + 100)
    out_len = ctypes.c_size_t(len(out))
    return None if snappy.snappy_compress(page, ctypes.c_size_t(len(page)), out, ctypes.byref(out_len)) else out.raw[:out_len.value]


@functools.cache
def zstd():
    lib = library("libzstd.so.1")
    for function in ("ZSTD_decompress", "ZSTD_compressStream2", "ZSTD_CCtx_setParameter", "ZSTD_CCtx_reset"):
        getattr(lib, function).restype = ctypes.c_size_t
    lib.ZSTD_createCCtx.restype = ctypes.c_void_p
    return lib


@functools.cache
def zstd_context():
    return ctypes.c_void_p(zstd().ZSTD_createCCtx())


def zstd_decode(src, page_len):
    lib, out = zstd(), room(page_len + 1)
    size = lib.ZSTD_decompress(out, ctypes.c_size_t(page_len + 1), src, ctypes.c_size_t(len(src)))
    return None if lib.ZSTD_isError(ctypes.c_size_t(size)) else out.raw[:size]


def zstd_encode(page, block, *parameters):
    """`block`: a block ends after so many bytes, 0 for one block; `parameters`: NUMBER=VALUE of ZSTD_cParameter."""
    class Buffer(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]
    lib, context, out, held = zstd(), zstd_context(), room(2 * len(page) + 1000), room(page)
    session_and_parameters = 3
    lib.ZSTD_CCtx_reset(context, session_and_parameters)
    for parameter in parameters:
        number, value = map(int, parameter.split("="))
        lib.ZSTD_CCtx_setParameter(context, number, value)
    if not int(block):
        lib.ZSTD_CCtx_setPledgedSrcSize(context, ctypes.c_ulonglong(len(page)))
    into = Buffer(ctypes.addressof(out), len(out), 0)
    flush, end = 1, 2
    step = int(block) or len(page)
    for at in range(0, len(page), step):
        last = at + step >= len(page)
        source = Buffer(ctypes.addressof(held), min(at + step, len(page)), at)
        left = lib.ZSTD_compressStream2(context, ctypes.byref(into), ctypes.byref(source), end if last else flush)
        if left:
            return None
    return out.raw[:into.pos]


def main():
    direction, codec, *options = sys.argv[1:]
    run = globals()[f"{codec}_{direction}"]
    records, at, replies = sys.stdin.buffer.read(), 0, []
    while at < len(records):
        page_len, size = struct.unpack_from("<II", records, at)
        data = records[at + 8:at + 8 + size]
        at += 8 + size
        reply = run(data, page_len) if direction == "decode" else run(data, *options)
        replies += [struct.pack("<I", 0xFFFFFFFF)] if reply is None else [struct.pack("<I", len(reply)), reply]
    sys.stdout.buffer.write(b"".join(replies))


main()

"""The system's C codecs, by ctypes: they decode what we encoded."""

import ctypes
import zlib

PAGE = 4096


class Codecs:
    """Decoders by the flags of a page_desc."""

    def __init__(self):
        self.page = ctypes.create_string_buffer(PAGE)
        self.length = ctypes.c_size_t()
        self.lzo2 = ctypes.CDLL("liblzo2.so.2")
        self.snappy = ctypes.CDLL("libsnappy.so.1")
        self.zstd = ctypes.CDLL("libzstd.so.1")
        self.zstd.ZSTD_decompress.restype = ctypes.c_size_t
        self.zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def decode(self, flags, data):
        """One page; None if it does not decode to exactly one page."""
        if flags == 0:
            return data if len(data) == PAGE else None
        if flags == 1:
            return self.of_zlib(data)
        self.length.value = PAGE
        length = ctypes.byref(self.length)
        size = ctypes.c_size_t(len(data))
        if flags == 2:
            failed = self.lzo2.lzo1x_decompress_safe(data, size, self.page, length, None)
        elif flags == 4:
            failed = self.snappy.snappy_uncompress(data, size, self.page, length)
        elif flags == 0x20:
            failed = self.zstd.ZSTD_decompress(self.page, PAGE, data, len(data)) != PAGE
        else:
            return None
        return None if failed or self.length.value != PAGE else self.page.raw

    @staticmethod
    def of_zlib(data):
        try:
            page = zlib.decompress(data)
        except zlib.error:
            return None
        return page if len(page) == PAGE else None


NAMES = {0: "raw", 1: "zlib", 2: "lzo", 4: "snappy", 0x20: "zstd"}
